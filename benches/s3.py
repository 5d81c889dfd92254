"""What benches/s3.sh measures. Usage: s3.py PROGRAM TRANSACTIONS RUN_DATE TIMES CUSTOMERS"""

import collections
import datetime
import http.server
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from pyarrow import compute, dataset, parquet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/real"))
from s3_support import KEYS, LocalPlace, Project, S3Place, Server, block, published  # noqa: E402

DATASETS = ("customer_scores", "recommendations", "segment_profiles")

MONTH = """name: month
sources:
  transactions:
    path: ${lake}/transactions.parquet
    event_time: ordered_at
    columns:
      order_id: string?
      product_id: string?
      description: string?
      quantity: int32?
      ordered_at: datetime?
      unit_price: float64?
      customer_id: int64?
      country: string?
stages:
  - id: spring
    stage: sql
    inputs: {transactions: transactions}
    with:
      query: |
        SELECT COUNT(*) AS n, SUM(quantity) AS quantity
        FROM transactions
        WHERE ordered_at >= '2024-03-01' AND ordered_at < '2024-04-01'
publish:
  spring: {from: spring, to: "${warehouse}/spring"}
"""


def nightly(program, transactions, run_date, times):
    with Server() as server:
        server.client.upload_file(transactions, "lake", "transactions.parquet")
        remote, local = Project(program), Project(program)
        for project in (remote, local):
            shutil.copy(pathlib.Path(__file__).with_name("nightly.yaml"), project.root / "pipeline.yaml")
        plain = block(server.url, read_twice=False)
        places = f"lake: s3://lake\nwarehouse: s3://warehouse\nrun_date: {run_date}\n"
        remote.environment(places + plain, "once")
        remote.environment(places + block(server.url), "twice")
        local.environment(f"lake: data\nwarehouse: out\nrun_date: {run_date}\n")
        (local.root / "data").mkdir()
        os.symlink(pathlib.Path(transactions).resolve(), local.root / "data/transactions.parquet")
        took = collections.defaultdict(list)

        def measure(name, project, *arguments):
            shutil.rmtree(project.root / "target", ignore_errors=True)
            shutil.rmtree(project.root / "out", ignore_errors=True)
            for key in server.objects("warehouse"):
                server.client.delete_object(Bucket="warehouse", Key=key)
            started = time.monotonic()
            project.run(*arguments, **KEYS).expect(0)
            took[name].append(time.monotonic() - started)

        for _ in range(times):
            measure("local", local)
            expected = {name: published(LocalPlace(local.root / "out" / name)) for name in DATASETS}
            for name in ("once", "twice"):
                measure(name, remote, "--env", name)
                found = {name: published(S3Place(server, "warehouse", name)) for name in DATASETS}
                assert found == expected, "S3 gives other output than the local disk"
        base = statistics.median(took["local"])
        for name, what in (("local", "local disk"), ("once", "S3"), ("twice", "S3, everything read twice (http)")):
            median = statistics.median(took[name])
            print(f"{what:34} {median:6.2f} s   {median / base:5.2f} times   {min(took[name]):.2f} to {max(took[name]):.2f} s")


def serve(path, key):
    """One object by GET and HEAD, and a warehouse that takes what is put; counts the bytes of answers' bodies."""
    size = path.stat().st_size
    counted = collections.Counter()
    stored = {}
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, body=b"", **headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", headers.get("length", len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def found(self, data, length, first, last):
            headers = {"ETag": '"v1"', "Last_Modified": "Sat, 10 Dec 2011 00:00:00 GMT"}
            if "Range" in self.headers:
                headers["Content_Range"] = f"bytes {first}-{last - 1}/{length}"
            self.send_response(206 if "Range" in self.headers else 200)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(last - first))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def do_GET(self):
            path_, _, query = urllib.parse.unquote(self.path).partition("?")
            if "list-type" in query:
                prefix = dict(pair.partition("=")[::2] for pair in query.split("&")).get("prefix", "")
                bucket = path_.strip("/")
                with lock:
                    names = [n.split("/", 1)[1] for n in stored if n.startswith(f"{bucket}/{prefix}")]
                    items = "".join(
                        f"<Contents><Key>{n}</Key><Size>{len(stored[f'{bucket}/{n}'])}</Size><ETag>\"v1\"</ETag>"
                        "<LastModified>2011-12-10T00:00:00Z</LastModified></Contents>" for n in sorted(names))
                return self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>".encode())
            first, last = 0, None
            if wanted := self.headers.get("Range"):
                start, _, end = wanted.removeprefix("bytes=").partition("-")
                first, last = int(start), int(end) + 1 if end else None
            if path_ == key:
                last = min(last or size, size)
                data = b""
                if self.command != "HEAD":
                    with open(path, "rb") as file:
                        file.seek(first)
                        data = file.read(last - first)
                    counted["bytes"] += len(data)
                counted["requests"] += 1
                return self.found(data, size, first, last)
            data = stored.get(path_.strip("/"))
            if data is None:
                return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            last = min(last or len(data), len(data))
            return self.found(data[first:last], len(data), first, last)

        do_HEAD = do_GET

        def body(self):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def do_PUT(self):
            path_, _, query = urllib.parse.unquote(self.path).partition("?")
            name = path_.strip("/")
            with lock:
                if "partNumber" in query:
                    stored[f"{name}#parts"] = stored.get(f"{name}#parts", b"") + self.body()
                else:
                    stored[name] = self.body()
            self.answer(200, ETag='"v1"')

        def do_POST(self):
            path_, _, query = urllib.parse.unquote(self.path).partition("?")
            name = path_.strip("/")
            sent = self.body()
            if "uploads" in query:
                return self.answer(200, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
            if "delete" in query:
                keys = re.findall(rb"<Key>.*?</Key>", sent)
                deleted = b"".join(b"<Deleted>" + key + b"</Deleted>" for key in keys)
                return self.answer(200, b"<DeleteResult>" + deleted + b"</DeleteResult>")
            with lock:
                stored[name] = stored.pop(f"{name}#parts")
            self.answer(200, b"<CompleteMultipartUploadResult><ETag>\"v1\"</ETag></CompleteMultipartUploadResult>")

        def do_DELETE(self):
            stored.pop(urllib.parse.unquote(self.path).partition("?")[0].strip("/"), None)
            self.answer(204)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, counted


def in_order_of_time(source, target):
    """The same rows as a shop's table has them, to which every night adds its orders: month by month, to save memory."""
    rows = dataset.dataset(source)
    with parquet.ParquetWriter(target, rows.schema, compression="zstd") as writer:
        for month in range(24):
            first, last = (datetime.datetime(2023 + at // 12, at % 12 + 1, 1) for at in (month, month + 1))
            # Bad rows may have no time, or one far off; they lie at the ends.
            chosen = compute.field("ordered_at") >= first if month else compute.field("ordered_at") < datetime.datetime(2023, 2, 1)
            if 0 < month < 23:
                chosen &= compute.field("ordered_at") < last
            writer.write_table(rows.to_table(filter=chosen).sort_by("ordered_at"), row_group_size=250_000)


def month(program, customers):
    scratch = pathlib.Path(os.environ.get("PATRONAGE_BENCH", tempfile.mkdtemp(prefix="patronage-s3-")))
    source = scratch / f"lake-{customers}/transactions.parquet"
    if not source.exists():
        period = ["--from", "2023-01-01", "--to", "2024-12-31"]
        subprocess.run([program, "synthesize", "--customers", str(customers), "--seed", "42", *period, "--out", str(source.parent)],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        whole = source.rename(source.with_name("unordered.parquet"))
        in_order_of_time(whole, source)
        whole.unlink()
    size = source.stat().st_size
    print(f"the source has {size / 1e6:,.0f} MB")
    server, counted = serve(source, "/lake/transactions.parquet")
    for name, twice in (("S3", False), ("S3, everything read twice (http)", True)):
        counted.clear()
        project = Project(program)
        (project.root / "pipeline.yaml").write_text(MONTH)
        s3 = block(f"http://127.0.0.1:{server.server_port}", read_twice=twice)
        project.environment(f"lake: s3://lake\nwarehouse: s3://warehouse/{twice}\nrun_date: 2025-01-01\n{s3}")
        started = time.monotonic()
        project.run(**KEYS).expect(0)
        took = time.monotonic() - started
        share = counted["bytes"] / size
        print(f"{name:34} {counted['bytes'] / 1e6:8.1f} MB {share:6.2%} of it, {counted['requests']} requests, {took:.2f} s")
    server.shutdown()
    if "PATRONAGE_BENCH" not in os.environ:
        shutil.rmtree(scratch)


def main():
    program, transactions, run_date, times, customers = sys.argv[1:6]
    nightly(program, transactions, run_date, int(times))
    if int(customers):
        month(program, int(customers))


main()

"""The shipped nightly pipeline with lake and warehouse on S3: the same bytes as on local disk, settings from every
place they may come from, and errors that say what is wrong.

Usage: s3_nightly.py PROGRAM (in a Python with moto[server], boto3 and pyarrow; tests/real/s3.sh makes one)
"""

import json
import shutil
import socket
import sys
import time
from io import BytesIO

from pyarrow import parquet

from proxy import Fault, Proxy
from s3_support import KEYS, REPOSITORY, LocalPlace, Project, S3Place, Server, block, check, litter, published, sales

DATASETS = ("customer_scores", "recommendations", "segment_profiles")
PLACES = "lake: s3://lake/raw\nwarehouse: s3://warehouse/night\nrun_date: 2025-01-01\n"


def local_digests(program):
    project = Project(program)
    shutil.copytree(REPOSITORY / "data", project.root / "data")
    project.environment("lake: data\nwarehouse: out\nrun_date: 2025-01-01\n")
    project.run().expect(0)
    return {name: published(LocalPlace(project.root / "out" / name)) for name in DATASETS}


def remote_digests(server, prefix="night"):
    return {name: published(S3Place(server, "warehouse", f"{prefix}/{name}")) for name in DATASETS}


def upload(server):
    for file in (REPOSITORY / "data").glob("*.parquet"):
        server.client.put_object(Bucket="lake", Key=f"raw/{file.name}", Body=file.read_bytes())


def same_bytes(program, server, expected):
    print("the nightly on S3")
    project = Project(program)
    project.environment(PLACES + block(server.url))
    project.run(**KEYS).expect(0)
    check(remote_digests(server) == expected, "published files have the bytes of the local run's")
    again = project.run(**KEYS).expect(0)
    check("nothing has changed" in again.stdout, "a second run finds nothing to do")
    place = S3Place(server, "warehouse", "night/customer_scores")
    before = set(place.names())
    fresh = Project(program)
    fresh.environment(PLACES.replace("2025-01-01", "2024-12-31") + block(server.url))
    fresh.run(**KEYS).expect(0)
    check(set(place.names()) > before, "another run date is published beside it")
    text = (project.root / "pipeline.yaml").read_text()
    (project.root / "pipeline.yaml").write_text(text.replace("seed: 42", "seed: 43"))
    project.run(**KEYS).expect(0)
    check(max(place.names()).startswith("run_date=") and not litter(place), "a newer version leaves nothing of the older")
    check("_commits/2025-01-01/000002.json" in place.names(), "it is the second version")
    check(not server.uploads("warehouse"), "no unfinished upload is left")
    (project.root / "pipeline.yaml").write_text(text)
    project.run(**KEYS).expect(0)
    check(remote_digests(server)["recommendations"]["2025-01-01/part-00000"] == expected["recommendations"]["2025-01-01/part-00000"],
          "and back again, the bytes are those of the first")
    for file in (project.root / "target/patronage").rglob("*.json"):
        if any(secret in file.read_text() for secret in KEYS.values()):
            raise AssertionError(f"{file} shows a key")
    print("  ok: no artifact shows a key", flush=True)


def dataset_as_source(program, server):
    print("a published dataset on S3 as a source")
    project = Project(program)
    project.environment("warehouse: s3://warehouse\nrun_date: 2025-01-01\n" + block(server.url))
    (project.root / "pipeline.yaml").write_text(
        "name: readers\nsources:\n  profiles:\n    path: ${warehouse}/night/segment_profiles\n    static: true\n"
        "    extra_columns: allow\n    columns: {run_date: date}\nstages:\n  - id: dates\n    stage: sql\n"
        "    inputs: {profiles: profiles}\n    with:\n      query: SELECT run_date AS day, COUNT(*) AS n FROM profiles GROUP BY run_date\n"
        "      key: [day]\npublish:\n  dates: {from: dates, to: \"${warehouse}/dates\"}\n")
    project.run(**KEYS).expect(0)
    check(len(published(S3Place(server, "warehouse", "dates"))) == 1, "it is read and published again")


def text_sources(program, server):
    print("sources as text")
    rows = parquet.read_table(BytesIO(sales(40))).to_pylist()
    texts = {
        "csv": "customer,item,at,amount\n" + "".join(f"{r['customer']},{r['item']},{r['at']},{r['amount']}\n" for r in rows),
        "ndjson": "".join(json.dumps(r | {"at": str(r["at"])}) + "\n" for r in rows),
    }
    files = {"parquet": sales(40)} | {name: text.encode() for name, text in texts.items()}
    seen = {}
    for kind, content in files.items():
        server.client.put_object(Bucket="lake", Key=f"text/sales.{kind}", Body=content)
        project = Project(program, "shop")
        project.environment(f"lake: s3://lake/text\nwarehouse: s3://warehouse/text-{kind}\nrun_date: 2024-06-01\n" + block(server.url))
        pipeline = project.root / "pipeline.yaml"
        pipeline.write_text(pipeline.read_text().replace("sales.parquet", f"sales.{kind}"))
        project.run(**KEYS).expect(0)
        seen[kind] = published(S3Place(server, "warehouse", f"text-{kind}/scores"))
    check(seen["parquet"] == seen["csv"] == seen["ndjson"] != {}, "CSV and newline JSON give the bytes that Parquet gives")
    server.client.put_object(Bucket="lake", Key="text/sales.csv", Body=files["csv"] + b"no,fields\n")
    project = Project(program, "shop")
    project.environment("lake: s3://lake/text\nwarehouse: s3://warehouse/text-bad\nrun_date: 2024-06-01\n" + block(server.url))
    pipeline = project.root / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("sales.parquet", "sales.csv"))
    ended = project.run(**KEYS).expect(65)
    check("s3://lake/text/sales.csv" in ended.stderr and "no,fields" not in ended.stderr, "a broken line: 65, and it is not shown")


def settings(program, server):
    print("settings")
    server.client.put_object(Bucket="lake", Key="shop/sales.parquet", Body=sales(40))
    places = "lake: s3://lake/shop\nwarehouse: s3://warehouse/{}\nrun_date: 2024-06-01\n"

    def run(name, s3, code=0, **variables):
        project = Project(program, "shop")
        project.environment(places.format(name) + s3)
        (project.root / "id").write_text(KEYS["AWS_ACCESS_KEY_ID"] + "\n")
        (project.root / "secret").write_text(KEYS["AWS_SECRET_ACCESS_KEY"] + "\n")
        (project.root / "credentials").write_text(
            f"[lake]\naws_access_key_id={KEYS['AWS_ACCESS_KEY_ID']}\naws_secret_access_key={KEYS['AWS_SECRET_ACCESS_KEY']}\n")
        return project.run(**variables).expect(code)

    run("variables", "", **KEYS, AWS_ENDPOINT_URL=server.url, AWS_REGION="us-east-1")
    check(True, "AWS_* variables alone are enough")
    keys = {"keys": {"access_key_id": {"secret": {"file": "id"}}, "secret_access_key": {"secret": {"file": "secret"}}}}
    run("files", block(server.url, credentials=keys))
    run("wins", block(server.url, credentials=keys), AWS_ACCESS_KEY_ID="AKIAHALF", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    check(True, "keys come from files, and the block wins over variables")
    run("profile", block(server.url, credentials={"profile": {"name": "lake", "file": "credentials"}}))
    missing = run("pond", block(server.url, credentials={"profile": {"name": "pond", "file": "credentials"}}), code=78)
    check("R226" in missing.stderr and "`pond`" in missing.stderr, "profiles are read, and a missing one is said")
    for kind, algorithm in (("s3", "AES256"), ("kms", "aws:kms")):
        more = {"key_id": "alias/lake", "bucket_key": True} if kind == "kms" else {}
        run(f"sse-{kind}", block(server.url, encryption={"type": kind, **more}), **KEYS)
        key = next(key for key in server.objects("warehouse", f"sse-{kind}/") if key.endswith(".parquet"))
        head = server.client.head_object(Bucket="warehouse", Key=key)
        check(head.get("ServerSideEncryption") == algorithm, f"what is written is encrypted by {algorithm}")
    run("styles", block(server.url), AWS_VIRTUAL_HOSTED_STYLE_REQUEST="False", **KEYS)
    wrong = (
        ({"AWS_ENDPOINT_URL": "localhost:9000"}, "no address"),
        ({"AWS_ENDPOINT_URL": "http://:9000"}, "no address"),
        ({"AWS_ENDPOINT_URL": server.url, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "True"}, "path_style: true"),
        ({"AWS_ENDPOINT_URL": server.url, "AWS_SESSION_TOKEN": "token\n"}, "`aws_session_token` holds a line break"),
    )
    for variables, words in wrong:
        check(words in run("wrong", "", code=78, **KEYS | variables).stderr, f"what cannot be: 78, {words}")
    written = run("oops", block(server.url, credentials={"keys": {"access_key_id": "AKIAOOPS", "secret_access_key": "oops"}}), code=78)
    check("P160" in written.stderr and "oops" not in written.stderr.lower(), "a key that was written out is not repeated")


def errors(program, server):
    print("errors")
    def run(s3, code, lake="s3://lake/shop", warehouse="s3://warehouse/errors", **variables):
        project = Project(program, "shop")
        project.environment(f"lake: {lake}\nwarehouse: {warehouse}\nrun_date: 2024-06-01\n" + s3)
        started = time.monotonic()
        ended = project.run(**(variables or KEYS)).expect(code)
        return ended, time.monotonic() - started

    ended, _ = run(block(server.url), 78, lake="s3://pond/shop")
    check("R227" in ended.stderr and "no such bucket" in ended.stderr, "a missing bucket of a source: 78")
    ended, _ = run(block(server.url), 78, warehouse="s3://pond/out")
    check("R227" in ended.stderr, "a missing bucket of a publication: 78")
    ended, _ = run(block(server.url), 66, lake="s3://lake/nowhere")
    check("R200" in ended.stderr, "a missing object: 66")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
    ended, took = run(block(nobody, retry_seconds=4), 75)
    # Each of the two buckets is waited for.
    check("R221" in ended.stderr and took < 20, f"nobody listens: 75 after {took:.1f} s with a budget of 4 s a bucket")
    proxy = Proxy(server.port, lambda number, request: Fault("status", 403))
    ended, took = run(block(f"http://127.0.0.1:{proxy.port}"), 78)
    check("R226" in ended.stderr and took < 5, "403: 78 without a second try")
    proxy.reset(lambda number, request: Fault("status", 301))
    ended, _ = run(block(f"http://127.0.0.1:{proxy.port}"), 78)
    check("R228" in ended.stderr and "region" in ended.stderr, "a redirect to another region: 78")
    # Everything works until polars reads rows.
    is_rows = lambda request: "sales.parquet" in request.line and request.line.startswith("GET")
    for status, code, word in ((403, 78, "R226"), (503, 75, "R221")):
        seen = []

        def rows_fail(number, request):
            if is_rows(request):
                seen.append(number)
            return Fault("status", status) if len(seen) > 2 and is_rows(request) else None

        proxy.reset(rows_fail)
        ended, took = run(block(f"http://127.0.0.1:{proxy.port}", retry_seconds=2), code)
        check(word in ended.stderr and took < 20, f"{status} while rows are read: {code} after {took:.1f} s")
    stalled = lambda number, request: Fault("stall", 30) if is_rows(request) and number > 6 else None
    proxy.reset(stalled)
    ended, took = run(block(f"http://127.0.0.1:{proxy.port}", retry_seconds=3, request_timeout_seconds=1), 75)
    check(took < 20, f"answers that stall: 75 after {took:.1f} s")
    nobody_known = {"credentials": {"instance_metadata": {"endpoint": nobody}}}
    ended, took = run(block(server.url, retry_seconds=3, **nobody_known), 78)
    check("R226" in ended.stderr and "no credentials" in ended.stderr, "no credentials: 78")
    proxy.stop()


def main():
    program = sys.argv[1]
    expected = local_digests(program)
    with Server() as server:
        upload(server)
        same_bytes(program, server, expected)
        dataset_as_source(program, server)
        text_sources(program, server)
        settings(program, server)
        errors(program, server)
    print(json.dumps({"s3_nightly": "passed"}))


main()

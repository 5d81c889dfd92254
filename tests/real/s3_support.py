"""What the tests against an S3 server share: the server, projects, and readers that trust nothing but checksums."""

import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# Exit codes that say what is wrong: input, storage, configuration. Not 1 (a stage), 70 (a bug) or a signal.
TYPED = {65, 66, 74, 75, 78}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "test-secret-of-nobody"}


class Server:
    """moto on a free port, stopped whatever happens."""

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [pathlib.Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/moto-api/", timeout=1)
                break
            except OSError:
                time.sleep(0.2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )
        for bucket in ("lake", "warehouse"):
            self.client.create_bucket(Bucket=bucket)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def objects(self, bucket, prefix=""):
        """Keys and sizes below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def get(self, bucket, key):
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def uploads(self, bucket):
        """Uploads that were begun and neither completed nor aborted."""
        return self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


class S3Place:
    """A prefix of a bucket, read as a consumer reads a dataset."""

    def __init__(self, server, bucket, prefix):
        self.server, self.bucket, self.prefix = server, bucket, prefix

    def names(self):
        return [key[len(self.prefix) + 1 :] for key in self.server.objects(self.bucket, self.prefix + "/")]

    def read(self, name):
        return self.server.get(self.bucket, f"{self.prefix}/{name}")


class LocalPlace:
    """A directory, read as a consumer reads a dataset."""

    def __init__(self, root):
        self.root = pathlib.Path(root)

    def names(self):
        return [str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()]

    def read(self, name):
        return (self.root / name).read_bytes()


def published(place):
    """SHA-256 of each file by its number, per date, as the newest commits have it. Every file must be whole."""
    names = place.names()
    newest = {}
    for name in names:
        parts = name.split("/")
        if parts[0] == "_commits" and len(parts) == 3:
            newest[parts[1]] = max(newest.get(parts[1], ""), parts[2])
    found = {}
    for date, name in newest.items():
        commit = json.loads(place.read(f"_commits/{date}/{name}"))
        for file in commit["files"]:
            data = place.read(file["path"])
            digest = hashlib.sha256(data).hexdigest()
            if (digest, len(data)) != (file["sha256"], file["bytes"]):
                raise AssertionError(f"{file['path']} is not what its commit says")
            found[f"{date}/{file['path'].rsplit('/', 1)[1][:10]}"] = digest
    return found


def commits(place):
    return sorted(name for name in place.names() if name.startswith("_commits/") and name.count("/") == 2)


def litter(place):
    """Data files that no newest commit names."""
    wanted = set()
    for date in {name.split("/")[1] for name in commits(place)}:
        newest = max(name for name in commits(place) if name.split("/")[1] == date)
        wanted |= {file["path"] for file in json.loads(place.read(newest))["files"]}
    return [name for name in place.names() if name.startswith("run_date=") and name.endswith((".parquet", ".tmp")) and name not in wanted]


class Project:
    """A project in a directory of its own, and the program run in it."""

    def __init__(self, program, pipeline="nightly"):
        self.program = str(pathlib.Path(program).resolve())
        self.directory = tempfile.TemporaryDirectory(prefix="patronage-s3-")
        self.root = pathlib.Path(self.directory.name)
        (self.root / "configs").mkdir()
        if pipeline == "nightly":
            shutil.copy(REPOSITORY / "pipelines/nightly.yaml", self.root / "pipeline.yaml")
        else:
            (self.root / "pipeline.yaml").write_text(shop())

    def environment(self, text, name="local"):
        (self.root / f"configs/{name}.yaml").write_text(text)

    def command(self, *arguments):
        return [self.program, "--project", str(self.root), *arguments[:1], str(self.root / "pipeline.yaml"), *arguments[1:]]

    def variables(self, **more):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PATRONAGE_"))}
        # Nobody's profile.
        clean |= {"HOME": str(self.root), "NO_COLOR": "1"}
        return clean | more

    def start(self, *arguments, **variables):
        return subprocess.Popen(
            self.command("run", *arguments),
            env=self.variables(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, timeout=300, **variables):
        process = self.start(*arguments, **variables)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Ended(process.returncode, stdout, stderr)


class Ended:
    def __init__(self, code, stdout, stderr):
        self.code, self.stdout, self.stderr = code, stdout, stderr
        for secret in KEYS.values():
            if secret in stdout + stderr:
                raise AssertionError("the output shows a key")

    def expect(self, code):
        if self.code != code:
            raise AssertionError(f"exit code {self.code} instead of {code}\n{self.stdout}\n{self.stderr}")
        return self


def block(endpoint, **settings):
    """The `s3:` of an environment."""
    lines = [f"  {key}: {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join(["s3:", f"  endpoint: {endpoint}", "  region: us-east-1", *lines]) + "\n"


def shop():
    """The small shop of the integration tests."""
    return (REPOSITORY / "tests/cases/shop/pipeline.yaml").read_text()


def sales(count, first=100):
    """The sales of the small shop: every 90 hours from 2024-01-01, as a Parquet file's bytes; `first` is a customer."""
    rows = range(count)
    start = 1_704_067_200_000_000
    table = pa.table({
        "customer": pa.array([first + row * row % 7 for row in rows], pa.int64()),
        "item": pa.array([["tea", "cup", "pot"][row % 3] for row in rows]),
        "at": pa.array([start + row * 90 * 3_600_000_000 for row in rows], pa.timestamp("us")),
        "amount": pa.array([(row * 37 % 100) / 4.0 - 2.0 for row in rows], pa.float64()),
    })
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def check(holds, what):
    if not holds:
        raise AssertionError(what)
    print(f"  ok: {what}", flush=True)

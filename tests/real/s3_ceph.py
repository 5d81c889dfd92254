"""The shipped nightly against a server that checks signatures, digests and permissions.

Usage: s3_ceph.py PROGRAM ENDPOINT (tests/real/ceph.sh starts the server)
"""

import json
import shutil
import sys
import types

import boto3

from proxy import Fault, Proxy
from s3_support import REPOSITORY, LocalPlace, Project, S3Place, Server, block, check, litter, published

DATASETS = ("customer_scores", "recommendations", "segment_profiles")
NIGHT = {"AWS_ACCESS_KEY_ID": "CEPHNIGHTKEY", "AWS_SECRET_ACCESS_KEY": "ceph-night-secret"}
GUEST = {"AWS_ACCESS_KEY_ID": "CEPHGUESTKEY", "AWS_SECRET_ACCESS_KEY": "ceph-guest-secret"}
PLACES = "lake: s3://lake/raw\nwarehouse: s3://warehouse/{}\nrun_date: 2025-01-01\n"


def main():
    program, endpoint = sys.argv[1:3]
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1",
                          aws_access_key_id=NIGHT["AWS_ACCESS_KEY_ID"], aws_secret_access_key=NIGHT["AWS_SECRET_ACCESS_KEY"])
    server = types.SimpleNamespace(client=client)
    server.objects = types.MethodType(Server.objects, server)
    server.get = types.MethodType(Server.get, server)
    for bucket in ("lake", "warehouse"):
        client.create_bucket(Bucket=bucket)
    for file in (REPOSITORY / "data").glob("*.parquet"):
        client.put_object(Bucket="lake", Key=f"raw/{file.name}", Body=file.read_bytes())
    local = Project(program)
    shutil.copytree(REPOSITORY / "data", local.root / "data")
    local.environment("lake: data\nwarehouse: out\nrun_date: 2025-01-01\n")
    local.run().expect(0)
    expected = {name: published(LocalPlace(local.root / "out" / name)) for name in DATASETS}

    project = Project(program)
    project.environment(PLACES.format("night") + block(endpoint))
    project.run(**NIGHT).expect(0)
    found = {name: published(S3Place(server, "warehouse", f"night/{name}")) for name in DATASETS}
    check(found == expected, "with the right keys: the bytes of the local run")
    again = project.run(**NIGHT).expect(0)
    check("nothing has changed" in again.stdout, "a second run finds nothing to do")
    wrong = Project(program)
    wrong.environment(PLACES.format("wrong") + block(endpoint))
    ended = wrong.run(**NIGHT | {"AWS_SECRET_ACCESS_KEY": "another-secret-text"}).expect(78)
    check("R226" in ended.stderr and "another-secret" not in ended.stderr, "a wrong secret: 78")
    ended = wrong.run(**GUEST).expect(78)
    check("R226" in ended.stderr, "a user without permission: 78")
    changed = (project.root / "pipeline.yaml").read_text().replace("seed: 42", "seed: 43")
    (project.root / "pipeline.yaml").write_text(changed)
    project.run(**NIGHT).expect(0)
    place = S3Place(server, "warehouse", "night/customer_scores")
    check("_commits/2025-01-01/000002.json" in place.names() and not litter(place), "a newer version replaces the older")
    race = [Project(program) for _ in range(4)]
    for one in race:
        one.environment(PLACES.format("race") + block(endpoint))
    codes = sorted(one.wait() for one in [one.start(**NIGHT) for one in race])
    found = {name: published(S3Place(server, "warehouse", f"race/{name}")) for name in DATASETS}
    check(set(codes) <= {0, 75} and found == expected, f"four runs at once: exit codes {codes}, one output")
    # The body is flipped on the way; the server is to refuse it, not the proxy in its place.
    proxy = Proxy(int(endpoint.rsplit(":", 1)[1]), lambda number, request: flip_part(request))
    proxy.checks_digests = False
    flipped = Project(program)
    flipped.environment(PLACES.format("flipped") + block(f"http://127.0.0.1:{proxy.port}", retry_seconds=3))
    ended = flipped.run(**NIGHT)
    check(ended.code in (75, 78) and sum(proxy.counted.faults.values()) > 0, f"what was flipped on the way up is refused: {ended.code}")
    check(not published(S3Place(server, "warehouse", "flipped/customer_scores")), "and nothing is published")
    proxy.stop()
    print(json.dumps({"s3_ceph": "passed", "race": codes}))


def flip_part(request):
    is_data = request.line.startswith("PUT ") and "partNumber" in request.line
    return Fault("flip_request", seed=7) if is_data else None


main()

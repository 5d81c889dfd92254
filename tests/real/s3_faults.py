"""The shipped nightly through a proxy that lets some requests fail: 500, 503, 429, a reset before or after the server
has answered, a stall, an answer cut short, a flipped bit in an answer or in what is sent. Right output, or an exit code
that says what is wrong; never wrong output.

Usage: s3_faults.py PROGRAM [--seeds 50] [--share 0.05]
"""

import argparse
import collections
import json
import random
import shutil

from proxy import Fault, Proxy
from s3_support import KEYS, REPOSITORY, TYPED, LocalPlace, Project, S3Place, Server, block, published

DATASETS = ("customer_scores", "recommendations", "segment_profiles")
KINDS = (
    ("status", 500), ("status", 503), ("status", 429), ("reset", 0), ("reset_after", 0), ("stall", 4), ("truncate", 0),
    ("flip_answer", 0), ("flip_request", 0),
)


def faults(seed, share):
    rng = random.Random(seed)

    def decide(number, request):
        if rng.random() >= share:
            return None
        kind, value = rng.choice(KINDS)
        if kind == "flip_request" and not request.body:
            kind = "flip_answer"  # what has no body is protected by its signature, which the test server ignores
        forward = kind == "reset_after" or (kind == "status" and rng.random() < 0.5)
        kind = "reset" if kind == "reset_after" else kind
        return Fault(kind, value, forward=forward, seed=rng.randrange(1 << 30))

    return decide


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--share", type=float, default=0.05)
    arguments = parser.parse_args()
    local = Project(arguments.program)
    shutil.copytree(REPOSITORY / "data", local.root / "data")
    local.environment("lake: data\nwarehouse: out\nrun_date: 2025-01-01\n")
    local.run().expect(0)
    expected = {name: published(LocalPlace(local.root / "out" / name)) for name in DATASETS}
    codes, happened, requests, reruns = collections.Counter(), collections.Counter(), 0, 0
    with Server() as server:
        for file in (REPOSITORY / "data").glob("*.parquet"):
            server.client.put_object(Bucket="lake", Key=file.name, Body=file.read_bytes())
        proxy = Proxy(server.port)
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            proxy.reset(faults(seed, arguments.share))
            project = Project(arguments.program)
            places = f"lake: s3://lake\nwarehouse: s3://warehouse/{seed}\nrun_date: 2025-01-01\n"
            project.environment(places + block(f"http://127.0.0.1:{proxy.port}", retry_seconds=20, request_timeout_seconds=2))
            ended = project.run(**KEYS)
            codes[ended.code] += 1
            happened.update(proxy.counted.faults)
            requests += proxy.counted.requests
            if ended.code not in {0} | TYPED:
                raise AssertionError(f"seed {seed}: exit code {ended.code}\n{ended.stderr}")
            found = {name: published(S3Place(server, "warehouse", f"{seed}/{name}")) for name in DATASETS}
            wrong = {name: files for name, files in found.items() if files and files != expected[name]}
            if wrong or (ended.code == 0 and found != expected):
                raise AssertionError(f"seed {seed}: exit code {ended.code} with wrong output {found}\n{ended.stderr}")
            if ended.code != 0:
                reruns += 1
                print(f"  seed {seed}: {ended.code}: {ended.stderr.strip().splitlines()[-1][:300]}", flush=True)
                project.environment(places + block(server.url))
                project.run(**KEYS).expect(0)
                if {name: published(S3Place(server, "warehouse", f"{seed}/{name}")) for name in DATASETS} != expected:
                    raise AssertionError(f"seed {seed}: the rerun published something else")
        proxy.stop()
    print(json.dumps({
        "seeds": arguments.seeds, "requests": requests, "faults": dict(sorted(happened.items())),
        "exit_codes": dict(sorted(codes.items())), "reruns_with_the_right_output": reruns,
    }))


main()

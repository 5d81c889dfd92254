"""Each request of a run to S3 fails, one after another, in every way a request can fail.

An older version is published. Then the small shop runs on newer data through a proxy that lets request n of the run
fail: `once` (500, not forwarded), `lost` (forwarded, the answer lost, once), `dead` (500 from n on: the server is
gone), `lost_dead` (forwarded, the answer lost, gone from then on), `killed` (the run gets SIGKILL before request n
reaches the server) and `killed_after` (after the server has answered). After each a reader must find the old version
or the new, whole, by checksums; a plain rerun must then publish the digest of an undisturbed run and leave nothing
behind. Every n until a run needs fewer requests.

Usage: s3_every_request.py PROGRAM [--read-twice]
"""

import argparse
import collections
import json
import shutil
import signal

from proxy import Fault, Proxy
from s3_support import KEYS, TYPED, Project, S3Place, Server, block, litter, published, sales

WAYS = ("once", "lost", "dead", "lost_dead", "killed", "killed_after")


class Case:
    """One run with one fault, on a prefix of its own."""

    def __init__(self, arguments, server, proxy, before, name):
        self.server, self.proxy, self.name = server, proxy, name
        self.read_twice = arguments.read_twice
        self.project = Project(arguments.program, "shop")
        shutil.copytree(before.root / "target", self.project.root / "target", dirs_exist_ok=True)
        for key in server.objects("warehouse", "before/"):
            source = {"Bucket": "warehouse", "Key": key}
            server.client.copy_object(Bucket="warehouse", Key=key.replace("before/", f"{name}/", 1), CopySource=source)
        self.place = S3Place(server, "warehouse", f"{name}/scores")

    def run(self, decide=None):
        self.proxy.reset(decide)
        s3 = block(f"http://127.0.0.1:{self.proxy.port}", read_twice=self.read_twice, retry_seconds=1)
        self.project.environment(f"lake: s3://lake/new\nwarehouse: s3://warehouse/{self.name}\nrun_date: 2024-06-01\n{s3}")
        self.process = self.project.start(**KEYS)
        _, self.stderr = self.process.communicate(timeout=120)
        return self.process.returncode

    def fault(self, way, n):
        kill = lambda: self.process.send_signal(signal.SIGKILL)
        faults = {
            "once": (Fault("status", 500), False),
            "lost": (Fault("reset", forward=True), False),
            "dead": (Fault("status", 500), True),
            "lost_dead": (Fault("reset", forward=True), True),
            "killed": (Fault("call", action=kill), False),
            "killed_after": (Fault("call", action=kill, forward=True), False),
        }
        fault, stays = faults[way]

        def decide(number, request):
            if number == n:
                return fault
            return Fault("status", 500) if stays and number > n else None

        return decide


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--read-twice", action="store_true")
    arguments = parser.parse_args()
    counts = collections.Counter()
    with Server() as server:
        proxy = Proxy(server.port)
        server.client.put_object(Bucket="lake", Key="old/sales.parquet", Body=sales(40, 200))
        server.client.put_object(Bucket="lake", Key="new/sales.parquet", Body=sales(40))
        before = Project(arguments.program, "shop")
        before.environment(f"lake: s3://lake/old\nwarehouse: s3://warehouse/before\nrun_date: 2024-06-01\n{block(server.url)}")
        before.run(**KEYS).expect(0)
        old = published(S3Place(server, "warehouse", "before/scores"))
        undisturbed = Case(arguments, server, proxy, before, "undisturbed")
        if undisturbed.run() != 0:
            raise AssertionError(undisturbed.stderr)
        new = published(undisturbed.place)
        if old == new:
            raise AssertionError("the new data must give other output than the old")
        total = proxy.counted.requests
        for way in WAYS:
            n = 0
            while True:
                case = Case(arguments, server, proxy, before, f"{way}-{n}")
                code = case.run(case.fault(way, n))
                happened = sum(proxy.counted.faults.values()) > 0
                if not happened:
                    if code != 0:
                        raise AssertionError(f"{way} {n}: nothing failed, but the exit code is {code}\n{case.stderr}")
                    break
                if code not in {0} | TYPED and not (code == -signal.SIGKILL and way.startswith("killed")):
                    raise AssertionError(f"{way} {n}: exit code {code}\n{case.stderr}")
                if way == "once" and code != 0:
                    raise AssertionError(f"{way} {n}: one failed request must not fail the run: {code}\n{case.stderr}")
                found = published(case.place)
                if found not in (old, new) or (code == 0 and found != new):
                    raise AssertionError(f"{way} {n}: neither old nor new, or not new although it ended with 0: {found}")
                counts[f"{way}: exit {code}, {'new' if found == new else 'old'}"] += 1
                if case.run() != 0:
                    raise AssertionError(f"{way} {n}: the rerun failed\n{case.stderr}")
                if published(case.place) != new or litter(case.place):
                    raise AssertionError(f"{way} {n}: the rerun left {published(case.place)}, {litter(case.place)}")
                if "run_date=2024-06-01/_SUCCESS" not in case.place.names():
                    raise AssertionError(f"{way} {n}: the rerun left no _SUCCESS")
                counts[way] += 1
                n += 1
            print(f"  {way}: {n} requests", flush=True)
        proxy.stop()
    print(json.dumps({"requests_of_a_run": total, "read_twice": arguments.read_twice, **dict(sorted(counts.items()))}))


main()

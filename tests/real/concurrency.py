"""Eight runs of one date at once, round after round, on local disk or on S3.

In even rounds all eight would publish the same: exactly one commits, and all end with 0. In odd rounds each would
publish something else: who commits ends with 0, who is overtaken with 75, and what is left is the whole output of one
of those that committed. In both nothing of the others lies about.

Usage: concurrency.py PROGRAM --local | --s3 [--rounds 20] [--runs 8]
"""

import argparse
import contextlib
import json
import pathlib
import tempfile

from s3_support import KEYS, LocalPlace, Project, S3Place, Server, block, commits, litter, published, sales

DATE = "2024-06-01"


class Place:
    """Where the runs read and write."""

    def __init__(self, server, scratch):
        self.server, self.scratch = server, scratch

    def environment(self, lake, warehouse):
        if self.server:
            s3 = block(self.server.url, read_twice=False)
            return f"lake: s3://lake/{lake}\nwarehouse: s3://warehouse/{warehouse}\nrun_date: {DATE}\n{s3}"
        return f"lake: {self.scratch / lake}\nwarehouse: {self.scratch / warehouse}\nrun_date: {DATE}\n"

    def put(self, lake, data):
        if self.server:
            self.server.client.put_object(Bucket="lake", Key=f"{lake}/sales.parquet", Body=data)
        else:
            (self.scratch / lake).mkdir(parents=True, exist_ok=True)
            (self.scratch / lake / "sales.parquet").write_bytes(data)

    def dataset(self, warehouse):
        if self.server:
            return S3Place(self.server, "warehouse", f"{warehouse}/scores")
        return LocalPlace(self.scratch / warehouse / "scores")


def one_round(program, place, number, runs):
    same = number % 2 == 0
    warehouse = f"round-{number}"
    projects = []
    for run in range(runs):
        lake = "same" if same else f"other-{run}"
        place.put(lake, sales(40, 100 if same else 100 + run))
        project = Project(program, "shop")
        project.environment(place.environment(lake, warehouse))
        projects.append(project)
    started = [project.start(**KEYS) for project in projects]
    codes = []
    for process in started:
        _, stderr = process.communicate(timeout=300)
        codes.append(process.returncode)
        if process.returncode not in (0, 75):
            raise AssertionError(f"round {number}: exit code {process.returncode}\n{stderr}")
    dataset = place.dataset(warehouse)
    done = len(commits(dataset))
    found = published(dataset)
    expected = {0: 1} if same else None
    if same and (codes != [0] * runs or done != 1):
        raise AssertionError(f"round {number}: {done} commits, exit codes {codes}, expected {expected}")
    if not same and done != codes.count(0):
        raise AssertionError(f"round {number}: {done} commits by runs that ended with {codes}")
    if len(found) != 1 or litter(dataset):
        raise AssertionError(f"round {number}: {found}, left over: {litter(dataset)}")
    if f"run_date={DATE}/_SUCCESS" not in dataset.names():
        raise AssertionError(f"round {number}: there is no _SUCCESS")
    return {"same": same, "commits": done, "overtaken": codes.count(75), "digest": next(iter(found.values()))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--local", action="store_true")
    where.add_argument("--s3", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=8)
    arguments = parser.parse_args()
    rounds = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server()) if arguments.s3 else None
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patronage-race-")))
        place = Place(server, scratch)
        alone = set()
        for run in range(arguments.runs):
            place.put("alone", sales(40, 100 + run))
            project = Project(arguments.program, "shop")
            project.environment(place.environment("alone", f"alone-{run}"))
            project.run(**KEYS).expect(0)
            alone |= set(published(place.dataset(f"alone-{run}")).values())
        for number in range(2 * arguments.rounds):
            rounds.append(one_round(arguments.program, place, number, arguments.runs))
            if rounds[-1]["digest"] not in alone:
                raise AssertionError(f"round {number}: what was published is nobody's output")
        if server and server.uploads("warehouse"):
            raise AssertionError("unfinished uploads are left")
    same = [one for one in rounds if one["same"]]
    other = [one for one in rounds if not one["same"]]
    print(json.dumps({
        "where": "s3" if arguments.s3 else "local",
        "runs_at_once": arguments.runs,
        "rounds_of_the_same": len(same),
        "commits_in_them": sum(one["commits"] for one in same),
        "rounds_of_others": len(other),
        "commits_in_those": sum(one["commits"] for one in other),
        "overtaken": sum(one["overtaken"] for one in rounds),
    }))


main()

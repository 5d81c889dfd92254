#!/usr/bin/env python3
"""A year of nights in a row on small data that grows by a day every night.

After each night every file becomes a day older, as it would. What must stay flat: the memory and descriptors of a
run, hidden and staging files, the executions of each node that are kept. Published partitions grow by one a night;
directories of runs grow until the retention sets in, if there is one. Prints one line every thirty nights."""

import datetime
import os
import random
import re
import sys
import threading
import time
from pathlib import Path

from shop import HOUR_US, START_US, Shop, arguments, conclude, litter, newest_commit, scratch, unfinished
import parquet

FIRST = datetime.date(2024, 1, 8)
SALES_A_DAY = 20
DAY_SECONDS = 86_400
RUN = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")


def sales_until(shop, days, seed):
    """Twenty sales a day of customers who come and go; those of earlier days are always the same."""
    rows, chance = range(days * SALES_A_DAY), random.Random(seed)
    parquet.write(shop.root / "data/sales.parquet", [
        ("customer", "int64", [100 + chance.randrange(50 + row // 40) for row in rows]),
        ("item", "string", [("tea", "cup", "pot", "jug")[row * 31 % 4] for row in rows]),
        ("at", "datetime", [START_US + row * 24 * HOUR_US // SALES_A_DAY for row in rows]),
        ("amount", "float64", [row * 37 % 100 / 4 - 2 for row in rows]),
    ])


def night(shop, run_date):
    """Exit code, peak of memory in KiB, greatest number of open descriptors, seconds, what it wrote to stderr."""
    started = time.monotonic()
    process = shop.start("--run-date", str(run_date))
    descriptors, over = [0], threading.Event()

    def count():
        while not over.is_set():
            try:
                descriptors[0] = max(descriptors[0], len(os.listdir(f"/proc/{process.pid}/fd")))
            except OSError:
                return
            time.sleep(0.002)

    counting = threading.Thread(target=count)
    counting.start()
    process.stdout.close()
    stderr = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    over.set()
    counting.join()
    return process.returncode, usage.ru_maxrss, descriptors[0], time.monotonic() - started, stderr


def grow_older(root):
    """Everything that runs left is a day older the next night."""
    for directory in ("target", "out"):
        for path in [root / directory, *(root / directory).rglob("*")]:
            status = path.stat()
            os.utime(path, (status.st_atime - DAY_SECONDS, status.st_mtime - DAY_SECONDS))


def survey(shop):
    """What lies about, in numbers."""
    artifacts = shop.root / "target/patronage"
    files = [path for path in shop.root.rglob("*") if path.is_file()]
    executions = {node.name: len(list(node.iterdir())) for node in (artifacts / "tables/shop").iterdir()}
    below = lambda directory: [path for path in files if directory in path.parents]
    runs = [path for path in artifacts.iterdir() if RUN.fullmatch(path.name)]
    size = lambda paths: sum(path.stat().st_size for path in paths)
    run_files = [path for path in files if any(run in path.parents for run in runs)]
    return {
        "tables": len(below(artifacts / "tables")), "tables_bytes": size(below(artifacts / "tables")),
        "executions": max(executions.values()), "runs": len(runs), "runs_bytes": size(run_files),
        "models": len(below(artifacts / "models")), "state": len(below(artifacts / "state")),
        "published": len(below(shop.root / "out")), "published_bytes": size(below(shop.root / "out")),
        "staging": len([path for path in files if path.name.startswith(".")]) + len(unfinished(shop)),
    }


def describe(number, memory, descriptors, seconds, found):
    mib = lambda size: f"{size / 2**20:.1f} MiB"
    print(f"night {number:3}: {memory / 1024:.0f} MiB of memory, {descriptors} descriptors, {seconds * 1000:.0f} ms; "
          f"tables {found['tables']} files {mib(found['tables_bytes'])}, at most {found['executions']} executions; "
          f"runs {found['runs']} {mib(found['runs_bytes'])}; models {found['models']}, state {found['state']}; "
          f"published {found['published']} files {mib(found['published_bytes'])}; staging {found['staging']}", flush=True)


def whole(shop, run_date):
    """What is wrong with what the night published."""
    wrong = [f"litter {name}" for name in litter(shop)] if run_date.day == 1 else []
    for name in ("scores", "kept"):
        commit = newest_commit(shop.root / "out" / name, str(run_date))
        if not commit or sum(file["rows"] for file in commit["files"]) == 0:
            wrong.append(f"{name} was not published")
    return [f"{run_date}: {one}" for one in wrong]


def main():
    given = arguments(__doc__, nights=(365, "how many"), executions=(4, "executions of a node that may be kept"),
                      growth=(1.25, "how many times the memory of the second month the last may take"))
    wrong, nights = [], []
    with scratch() as directory:
        shop = Shop(Path(directory) / "shop", given.program).make()
        for number in range(1, given.nights + 1):
            run_date = FIRST + datetime.timedelta(number - 1)
            sales_until(shop, (run_date - datetime.date(2024, 1, 1)).days, given.seed)
            code, memory, descriptors, seconds, stderr = night(shop, run_date)
            nights.append((memory, descriptors, seconds))
            if code != 0:
                sys.exit(f"VIOLATION {run_date}: exit {code}\n{stderr}")
            wrong += whole(shop, run_date)
            found = survey(shop) if number % 30 == 0 or number == given.nights else {"staging": 0, "executions": 0}
            if len(found) > 2:
                month = nights[-30:]
                describe(number, *(max(one[place] for one in month) for place in range(3)), found)
            if found["staging"]:
                wrong.append(f"{run_date}: {found['staging']} hidden or staging files")
            if found["executions"] > given.executions:
                wrong.append(f"{run_date}: {found['executions']} executions of one node are kept")
            grow_older(shop.root)
            if time.monotonic() > given.deadline:
                wrong.append(f"out of time after {number} nights")
                break
    if len(nights) >= 90:
        for place, what in ((0, "memory"), (1, "descriptors")):
            second, last = (max(one[place] for one in part) for part in (nights[30:60], nights[-30:]))
            print(f"{what}: {second} at its peak in the second month, {last} in the last")
            if last > second * given.growth:
                wrong.append(f"{what} grew from {second} to {last}")
    conclude(f"soak: {len(nights)} nights", wrong)


if __name__ == "__main__":
    main()

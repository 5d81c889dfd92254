#!/usr/bin/env python3
"""Fails the n-th file-system operation of a whole run, for every n, in each way.

Every trial starts from a copy of one state: an older version of the run date is published, and the source has
changed since. A run meets the fault (faults.c). Then a reader must find the old version or the new, whole, the exit
code must be typed, and exit 0 must mean the new version. A plain run must then give exactly what an undisturbed run
gives, in published data and in tables, and leave no litter."""

import collections
import concurrent.futures
import os
import shutil
import subprocess
import time
from pathlib import Path

from shop import Trial, anonymous, arguments, conclude, scratch

WAYS = ["before", "after", "full", "abort", "short"]
HERE = Path(__file__).resolve().parent


def build(to):
    library = to / "faults.so"
    command = [os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O2", "-o", library, HERE / "faults.c", "-ldl"]
    subprocess.run(command, check=True)
    return library


def operations(trace):
    """Number, name and path of each operation that was traced."""
    lines = trace.read_text().splitlines() if trace.exists() else []
    return [tuple(line.split(" ", 2)) for line in lines]


class Faults:
    def __init__(self, given, trial, library):
        self.given, self.trial, self.library = given, trial, library

    def run(self, shop, at=0, way="before"):
        """Runs under the shim; how it ended, and the operations it came to."""
        trace = shop.root.with_suffix(".trace")
        ended = shop.run(environment={
            "FAULT_DIRS": f"{shop.root}/out:{shop.root}/target", "FAULT_TRACE": str(trace),
            "FAULT_AT": str(at), "FAULT_WAY": way, "LD_PRELOAD": str(self.library),
        })
        found = operations(trace)
        trace.unlink(missing_ok=True)
        return ended, found

    def one(self, way, at):
        """The outcome of one trial and its violations; None if the run has fewer operations."""
        if time.monotonic() > self.given.deadline:
            return f"{way} {at}", "not tried", ["out of time"]
        shop = self.trial.base.copy(self.trial.scratch / f"{way}-{at}")
        ended, found = self.run(shop, at, way)
        if len(found) < at:
            shutil.rmtree(shop.root)
            return None
        hit = " ".join(found[at - 1][1:]).replace(str(shop.root), "")
        word, wrong = self.trial.examine(shop, ended, killed=way == "abort")
        if way == "short" and ended.code != 0:
            wrong.append(f"a short write is no failure, but exit {ended.code}")
        if way == "full" and ended.code not in (0, 74):
            wrong.append(f"a full disk is exit 74, not {ended.code}")
        wrong += self.trial.heal(shop)
        place = f"{way} {at} ({anonymous(hit)})"
        tail = ended.stderr.strip().splitlines()[-1:] if wrong else []
        shutil.rmtree(shop.root)
        code = "killed" if ended.code == -9 else f"exit {ended.code}"
        return place, f"{code}, {word}", [f"{place}: {one} {tail}" for one in wrong]


def main():
    given = arguments(__doc__, jobs=(2, "trials at a time"), way=("all", "one way only"), first=(1, "the first n"),
                      step=(1, "every so many n"))
    ways = WAYS if given.way == "all" else given.way.split(",")
    wrong = []
    with scratch() as directory, concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        directory = Path(directory)
        faults = Faults(given, Trial(given, directory), build(directory))
        ended, found = faults.run(faults.trial.base.copy(directory / "counted"))
        kinds = collections.Counter(name for _, name, _ in found)
        print(f"an undisturbed run has {len(found)} operations: " + ", ".join(f"{n} {k}" for k, n in kinds.items()))
        for way in ways:
            # The order of a few operations is up to threads, so a run may have some more than the last one.
            places = range(given.first, len(found) + 10, given.step)
            done = [one for one in pool.map(lambda at: faults.one(way, at), places) if one]
            missed = [] if len(done) * given.step >= len(found) - given.first + 1 else [f"{way}: only {len(done)} tried"]
            outcomes = collections.Counter(outcome for _, outcome, _ in done)
            found_wrong = missed + [one for *_, more in done for one in more]
            print(f"{way}: {len(done)} trials, {len(found_wrong)} violations; "
                  + "; ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())), flush=True)
            wrong += found_wrong
    conclude(f"faults: {len(ways)} ways, every {'' if given.step == 1 else f'{given.step}. '}operation", wrong)


if __name__ == "__main__":
    main()

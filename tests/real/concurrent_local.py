#!/usr/bin/env python3
"""Many runs of one date at once, on local disk.

In rounds of identical runs all share a project: exactly one new version may come of it. In rounds of different runs
each has a project of its own (another price) and all publish to one warehouse; a gate (faults.c) holds their commits
until all have come that far, so that all compete for the same sequence: exactly one may win. Losers exit 75, or 0
if what stands is what they had. Readers look on during all of it: through the newest commit and through `_SUCCESS`
they must never see anything but one whole version."""

import collections
import random
import shutil
import threading
import time
from pathlib import Path

from faults import build
from shop import RUN_DATE, Shop, arguments, conclude, expect, litter, newest_commit, unfinished, versions, scratch


class Looking(threading.Thread):
    """A reader that looks at a dataset again and again while runs go on."""

    def __init__(self, shop):
        super().__init__(daemon=True)
        self.shop, self.stop, self.looks, self.wrong = shop, False, 0, []

    def run(self):
        while not self.stop:
            for dataset in self.shop.datasets():
                self.wrong += self.look(dataset)
            self.looks += 1

    def look(self, dataset):
        partition = dataset / f"run_date={RUN_DATE}"
        success, before = mark(partition), newest_commit(dataset)
        visible = sorted(f"{partition.name}/{path.name}" for path in partition.glob("part-*.parquet"))
        missing = [file["path"] for file in before["files"] if not (dataset / file["path"]).is_file()]
        wrong = []
        # A file may be gone if another version has come in the meantime, which the reader sees and starts again.
        if missing and newest_commit(dataset) == before:
            wrong.append(f"{dataset.name}: a file of the newest commit was missing")
        if success and success == mark(partition) and visible != sorted(file["path"] for file in before["files"]):
            wrong.append(f"{dataset.name}: _SUCCESS stood beside {len(visible)} files")
        return wrong


def mark(partition):
    """Which `_SUCCESS` stands; one that was taken away and written again is another."""
    try:
        status = (partition / "_SUCCESS").stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def round_of(shops, environment, chance):
    """Starts all within a few milliseconds; how they ended, and what a reader saw meanwhile."""
    reader = Looking(shops[0])
    reader.start()
    started = time.monotonic()
    processes = []
    for shop in shops:
        processes.append(shop.start(environment=environment))
        time.sleep(chance.uniform(0, 0.005))
    ended = [shop.ended(process, started) for shop, process in zip(shops, processes)]
    reader.stop = True
    reader.join()
    return ended, reader


def sequences(shop):
    return {dataset.name: len(list((dataset / "_commits" / RUN_DATE).glob("*.json"))) for dataset in shop.datasets()}


def check(shop, ended, reader, conflict):
    """What is wrong after a round that started with one version."""
    wrong = list(reader.wrong)
    wrong += versions(shop)[1] + [f"litter {name}" for name in litter(shop)]
    codes = collections.Counter(one.code for one in ended)
    if not set(codes) <= {0, *conflict}:
        wrong.append(f"exit codes {dict(codes)}: " + next(one.stderr[-300:] for one in ended if one.code not in (0, 75)))
    wrong += [f"{name} has {count} commits instead of 2" for name, count in sequences(shop).items() if count != 2]
    wrong += ["a panic was shown" for one in ended if "panicked" in one.stderr]
    return wrong, codes


def identical(base, directory, given, conflict, chance):
    shop = base.copy(directory)
    shop.sales(43, price=41)
    ended, reader = round_of([shop] * given.runs, {}, chance)
    wrong, codes = check(shop, ended, reader, conflict)
    if not codes[0]:
        wrong.append("nobody won")
    again = expect(shop.run(), 0)
    if "nothing has changed" not in again.stdout:
        wrong.append("the next run found something to do")
    return wrong + unfinished(shop), codes, reader.looks


def different(base, directory, given, conflict, chance, library):
    shops = []
    for place in range(given.runs):
        shop = base.copy(directory / str(place))
        shop.sales(43, price=41 + place)
        # All publish where the first one does.
        if place:
            shutil.rmtree(shop.root / "out")
            (shop.root / "out").symlink_to(shops[0].root / "out")
        shops.append(shop)
    gate = directory / "gate"
    gate.mkdir()
    ended, reader = round_of(shops, {
        "LD_PRELOAD": str(library), "FAULT_GATE": f"{gate}:{given.runs}", "FAULT_DIRS": str(gate / "none"),
    }, chance)
    wrong, codes = check(shops[0], ended, reader, conflict)
    # The two datasets may be won by two runs, and then neither has succeeded.
    if codes[0] > 1:
        wrong.append(f"{codes[0]} runs say that they won")
    winners = {newest_commit(dataset)["run_id"] for dataset in shops[0].datasets()}
    ids = {path.name for shop in shops for path in (shop.root / "target/patronage").iterdir()}
    if not winners <= ids:
        wrong.append("a commit is of no run")
    for shop in shops:
        wrong += unfinished(shop)
    return wrong, codes, reader.looks


def main():
    given = arguments(__doc__, runs=(8, "runs at once"), rounds=(20, "rounds of each kind"),
                      conflict=("75", "the exit codes of a loser, with commas"))
    conflict = {int(code) for code in given.conflict.split(",")}
    wrong, chance = [], random.Random(given.seed)
    with scratch() as directory:
        directory = Path(directory)
        library = build(directory)
        base = Shop(directory / "base", given.program).make().sales(40)
        expect(base.run(), 0)
        for kind in ("identical", "different"):
            total, looks = collections.Counter(), 0
            for number in range(given.rounds):
                if time.monotonic() > given.deadline:
                    wrong.append(f"out of time after {number} rounds of {kind} runs")
                    break
                place = directory / f"{kind}-{number}"
                if kind == "identical":
                    found, codes, seen = identical(base, place, given, conflict, chance)
                else:
                    found, codes, seen = different(base, place, given, conflict, chance, library)
                total, looks = total + codes, looks + seen
                wrong += [f"{kind} {number}: {one}" for one in found]
                shutil.rmtree(place)
            told = ", ".join(f"{count} exit {code}" for code, count in sorted(total.items()))
            print(f"{kind}: {given.rounds} rounds of {given.runs} runs: {told}; {looks} looks of a reader", flush=True)
    conclude("concurrent runs", wrong)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Kills runs from outside (SIGKILL) at random moments, uniform over the time that an undisturbed run takes.

After each a reader must find the old version or the new, whole; a plain run must then give exactly what an
undisturbed run gives and leave no litter."""

import collections
import random
import shutil
import statistics
import time
from pathlib import Path

from shop import Trial, arguments, conclude, expect, scratch


def duration(trial, directory, tries=5):
    """The median of some undisturbed runs, in seconds."""
    taken = []
    for number in range(tries):
        shop = trial.base.copy(directory / f"timed-{number}")
        taken.append(expect(shop.run(), 0).seconds)
        shutil.rmtree(shop.root)
    return statistics.median(taken)


def main():
    given = arguments(__doc__, kills=(100, "how many"))
    chance = random.Random(given.seed)
    outcomes, wrong = collections.Counter(), []
    with scratch() as directory:
        directory = Path(directory)
        trial = Trial(given, directory)
        whole = duration(trial, directory)
        for number in range(given.kills):
            if time.monotonic() > given.deadline:
                wrong.append(f"out of time after {number} kills")
                break
            shop = trial.base.copy(directory / f"kill-{number}")
            delay = chance.uniform(0, whole)
            started = time.monotonic()
            process = shop.start()
            time.sleep(delay)
            process.kill()
            ended = shop.ended(process, started)
            word, found = trial.examine(shop, ended, killed=ended.code == -9)
            found += trial.heal(shop)
            outcomes[f"{'killed' if ended.code == -9 else f'exit {ended.code}'}, {word}"] += 1
            wrong += [f"kill {number} after {delay * 1000:.1f} ms: {one}" for one in found]
            shutil.rmtree(shop.root)
    print(f"undisturbed {whole * 1000:.0f} ms; " + "; ".join(f"{count} {one}" for one, count in sorted(outcomes.items())))
    conclude(f"kills: {sum(outcomes.values())} of seed {given.seed}", wrong)


if __name__ == "__main__":
    main()

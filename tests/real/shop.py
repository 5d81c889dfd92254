"""A small shop to run the program on, and what a reader of its published data may rely on.

The other scripts of this folder import it. It looks at files only, as a reader in another language would.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import parquet

REPOSITORY = Path(__file__).resolve().parents[2]
RUN_DATE = "2024-06-01"
START_US = 1_704_067_200_000_000  # 2024-01-01
HOUR_US = 3_600_000_000
# More of what a night does than the shop of the tests: rows set aside, a model, a second publication.
CHECK = ("      - {not_null: [customer, at]}\n", "      - {range: amount, min: -1.5, severity: quarantine}\n")
MODEL = """  - id: segments
    stage: kmeans
    inputs: {features: customers}
    with: {columns: [orders, spend], clusters: 2}
"""
KEPT = '  kept: {from: kept, to: "${warehouse}/kept"}\n'
UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")


class Ended:
    """How a run of the program ended."""

    def __init__(self, code, stdout, stderr, seconds):
        self.code, self.stdout, self.stderr, self.seconds = code, stdout, stderr, seconds


class Shop:
    """A project: its pipeline, its environment, its data and whatever its runs left."""

    def __init__(self, root, program):
        self.root, self.program = Path(root), program

    def make(self, warehouse="out", query=None):
        text = (REPOSITORY / "tests/cases/shop/pipeline.yaml").read_text()
        text = text.replace(CHECK[0], "".join(CHECK)).replace("publish:\n", MODEL + "publish:\n" + KEPT)
        assert text.count("quarantine") == text.count("kmeans") == text.count("/kept") == 1, "the shop has changed"
        if query:
            assert text.count(query[0]) == 1, "the shop has changed"
            text = text.replace(*query)
        self.write("pipeline.yaml", text)
        self.write("configs/local.yaml", f"lake: data\nwarehouse: {warehouse}\nrun_date: {RUN_DATE}\n")
        return self

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def sales(self, count, hours=90, price=37):
        """Sales every so many hours from 2024-01-01, of four customers whose numbers follow from the price."""
        rows = range(count)
        parquet.write(self.root / "data/sales.parquet", [
            ("customer", "int64", [price + row * row % 7 for row in rows]),
            ("item", "string", [("tea", "cup", "pot")[row % 3] for row in rows]),
            ("at", "datetime", [START_US + row * hours * HOUR_US for row in rows]),
            ("amount", "float64", [row * price % 100 / 4 - 2 for row in rows]),
        ])
        return self

    def start(self, *arguments, environment=None):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PATRONAGE_")}
        command = [self.program, "run", "pipeline.yaml", "--threads", "1", "--progress", "never", *arguments]
        return subprocess.Popen(command, cwd=self.root, env=clean | {"NO_COLOR": "1"} | (environment or {}),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments, environment=None, timeout=120):
        started = time.monotonic()
        process = self.start(*arguments, environment=environment)
        return self.ended(process, started, timeout)

    def ended(self, process, started, timeout=120):
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            stderr += b"\nit did not end"
        text = (stdout.decode(errors="replace"), stderr.decode(errors="replace"))
        return Ended(process.returncode, *text, time.monotonic() - started)

    def copy(self, to):
        """With modification times, which tell the program whether a source has changed."""
        shutil.copytree(self.root, to)
        return Shop(to, self.program)

    def datasets(self):
        return sorted(path for path in (self.root / "out").glob("*") if path.is_dir())


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def newest_commit(dataset, run_date=RUN_DATE):
    """The greatest number under `_commits/<date>/`, read; None if there is none."""
    found = sorted((dataset / "_commits" / run_date).glob("[0-9]*.json"))
    return json.loads(found[-1].read_text()) if found else None


def version(dataset, run_date=RUN_DATE):
    """What a reader through the newest commit sees, as digests, and what is wrong with it."""
    try:
        commit = newest_commit(dataset, run_date)
    except ValueError as error:
        return None, [f"{dataset.name}: the newest commit is not JSON: {error}"]
    wrong = []
    files = commit["files"] if commit else []
    for file in files:
        path = dataset / file["path"]
        if not path.is_file():
            wrong.append(f"{dataset.name}: {file['path']} is missing")
        elif path.stat().st_size != file["bytes"] or digest(path) != file["sha256"]:
            wrong.append(f"{dataset.name}: {file['path']} is not what the commit says")
    partition = dataset / f"run_date={run_date}"
    if (partition / "_SUCCESS").is_file():
        visible = sorted(path.name for path in partition.glob("*.parquet") if not path.name.startswith("."))
        named = sorted(file["path"].rsplit("/", 1)[-1] for file in files)
        if visible != named:
            wrong.append(f"{dataset.name}: _SUCCESS stands beside {visible}, the commit names {named}")
    return [file["sha256"] for file in files] if commit else None, wrong


def versions(shop, run_date=RUN_DATE):
    """Of every dataset by its name."""
    seen, wrong = {}, []
    for dataset in shop.datasets():
        seen[dataset.name], more = version(dataset, run_date)
        wrong += more
    return seen, wrong


COMMITTED = re.compile(r"_commits/(_dataset\.json|\d{4}-\d\d-\d\d/\d{6}\.json)")


def litter(shop):
    """What lies in a dataset that no reader and no later run has use for."""
    found = []
    for dataset in shop.datasets():
        wanted = set()
        for partition in dataset.glob("run_date=*"):
            commit = newest_commit(dataset, partition.name.split("=")[1])
            names = [file["path"] for file in commit["files"]] if commit else []
            wanted |= set(names) | {f"{partition.name}/_SUCCESS", f"{partition.name}/_manifest.json"}
        there = {str(path.relative_to(dataset)) for path in dataset.rglob("*") if path.is_file()}
        found += [f"{dataset.name}/{name}" for name in there - wanted if not COMMITTED.fullmatch(name)]
        found += [f"{dataset.name}/{name} is missing" for name in wanted - there]
    return found


def unfinished(shop):
    """What writers that did not come to an end left among the artifacts that later runs read."""
    kept = [path for name in ("tables", "models", "state") for path in (shop.root / "target/patronage" / name).rglob("*")]
    return [str(path.relative_to(shop.root)) for path in kept if ".tmp" in path.name or ".old-" in path.name]


def outputs(shop):
    """Digests of all tables, models and row counts that later runs read; ids of runs and moments are no data."""
    found = {}
    root = shop.root / "target/patronage"
    for name in ("tables", "models", "state/rows"):
        for path in sorted((root / name).rglob("*")):
            if path.is_file() and path.name != "_committed.json":
                content = path.read_bytes()
                if path.suffix == ".json":
                    content = UUID.sub("*", content.decode()).encode()
                found[str(path.relative_to(root))] = hashlib.sha256(content).hexdigest()
    return found


def anonymous(path):
    """A path without what differs from run to run."""
    return re.sub(r"\b[0-9a-f]{16,}\b", "*", UUID.sub("*", str(path)))


class Trial:
    """A state to start from, with an older version published, and what an undisturbed run makes of it."""

    TYPED = {0, 1, 65, 74, 75}

    def __init__(self, given, scratch):
        self.scratch, chance = scratch, random.Random(given.seed)
        count = chance.randrange(40, 60)
        self.base = Shop(scratch / "base", given.program).make().sales(count, hours=60)
        expect(self.base.run(), 0)
        self.old, wrong = versions(self.base)
        self.base.sales(count + chance.randrange(1, 20), hours=60, price=41)
        undisturbed = self.base.copy(scratch / "undisturbed")
        ended = expect(undisturbed.run(), 0)
        self.seconds = ended.seconds
        self.new, more = versions(undisturbed)
        self.outputs = outputs(undisturbed)
        assert not wrong + more + litter(undisturbed) and len(self.new) == 2, (wrong, more, litter(undisturbed))
        assert all(self.old[name] != self.new[name] for name in self.new), "old and new must differ"

    def examine(self, shop, ended, killed=False):
        """What a reader sees after a run that was disturbed, in a word, and what must not be."""
        seen, wrong = versions(shop)
        for name in self.new:
            if seen.get(name) not in (self.old[name], self.new[name]):
                wrong.append(f"{name}: neither the old version nor the new")
        if ended.code not in ({-9} if killed else self.TYPED):
            wrong.append(f"exit {ended.code}")
        if "panicked" in ended.stderr:
            wrong.append("a panic was shown")
        if ended.code > 0 and "error[" not in ended.stderr:
            wrong.append(f"exit {ended.code} without an error")
        if ended.code == 0 and seen != self.new:
            wrong.append("exit 0, but the old version stands")
        word = "new" if seen == self.new else "old" if seen == self.old else "one of two new"
        return word, wrong

    def heal(self, shop):
        """What is wrong after a plain run."""
        ended = shop.run()
        if ended.code != 0:
            return [f"the plain run ends with {ended.code}: {ended.stderr.strip()[-300:]}"]
        seen, wrong = versions(shop)
        if seen != self.new:
            wrong.append("after the plain run: not the new version")
        wrong += [f"after the plain run: litter {anonymous(name)}" for name in litter(shop) + unfinished(shop)]
        after = outputs(shop)
        differing = sorted(name for name in self.outputs.keys() | after if self.outputs.get(name) != after.get(name))
        if differing:
            wrong.append(f"after the plain run: {len(differing)} outputs differ: {anonymous(differing[:3])}")
        return wrong


def expect(ended, code):
    if ended.code != code:
        sys.exit(f"exit {ended.code} instead of {code}\n{ended.stdout}{ended.stderr}")
    return ended


def arguments(description, **options):
    """The arguments that all scripts have: the program, a seed, and numbers of their own with a default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="a built patronage")
    parser.add_argument("--seed", type=int, default=1, help="decides what is random (default 1)")
    parser.add_argument("--minutes", type=float, default=30, help="gives up, as a failure, after so long (default 30)")
    for name, (default, text) in options.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"{text} (default {default})")
    given = parser.parse_args()
    given.program = str(Path(given.program).resolve())
    given.deadline = time.monotonic() + given.minutes * 60
    return given


def scratch():
    return tempfile.TemporaryDirectory(prefix="patronage-")


def conclude(what, wrong, shown=20):
    """Ends the process: prints violations, or that there are none."""
    for line in wrong[:shown]:
        print(f"VIOLATION {line}")
    if len(wrong) > shown:
        print(f"and {len(wrong) - shown} more")
    print(f"{what}: {len(wrong)} violations")
    sys.exit(1 if wrong else 0)

"""Nights under a real scheduler: retries, a stopped run, an empty publication, backfills.

Usage: airflow_nights.py SCRATCH, in Airflow's environment, as airflow.sh starts it. A program under
SCRATCH/patronage does what the plan of a night says and is the real one after that.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

scratch = Path(sys.argv[1])
project = Path(os.environ["PATRONAGE_PROJECT"])
airflow = Path(sys.executable).with_name("airflow")


def equal(what: str, got: Any, expected: Any) -> None:
    if got != expected:
        sys.exit(f"{what}: expected {expected!r}, got {got!r}")


def command(*arguments: str) -> None:
    """Again while SQLite has no turn for it beside the scheduler: then nothing was done."""
    for _ in range(10):
        done = subprocess.run([airflow, *arguments], capture_output=True, text=True)
        if "database is locked" not in done.stderr:
            break
    if done.returncode:
        sys.exit(f"airflow {' '.join(arguments)}: {done.stdout}{done.stderr}")


def rows(query: str, *values: str) -> list[tuple[Any, ...]]:
    """Of Airflow's database; its command line takes seconds for the same."""
    file = Path(os.environ["AIRFLOW_HOME"]) / "airflow.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(query, values).fetchall()


def wait(what: str, condition: Any, seconds: int) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.5)


def finished(dag: str, count: int) -> bool:
    query = "SELECT count(*) FROM dag_run WHERE dag_id = ? AND state IN ('success', 'failed')"
    return rows(query, dag) == [(count,)]


def night(run: str, dag: str = "patronage_bash") -> dict[str, tuple[str, int]]:
    """The state and the number of tries of each task."""
    query = "SELECT task_id, state, try_number FROM task_instance WHERE dag_id = ? AND run_id = ?"
    return {task: (state, tries) for task, state, tries in rows(query, dag, run)}


def published(date: str) -> bool:
    names = ("customer_scores", "recommendations", "segment_profiles", "dictionary", "actions")
    folders = [project / "target/warehouse" / name / f"run_date={date}" for name in names]
    return all((folder / "_SUCCESS").exists() for folder in folders)


def spans() -> list[list[Any]]:
    """Runs of the program in the order of their ends: the night, when each began, when it ended."""
    return [json.loads(line) for line in (scratch / "spans").read_text().splitlines()]


def overlap(these: list[list[Any]]) -> list[Any]:
    these = sorted(these, key=lambda span: span[1])
    return [(a[0], b[0]) for a, b in itertools.pairwise(these) if b[1] < a[2]]


def plan(date: str, *words: str) -> None:
    (scratch / "plan" / date).write_text("".join(f"{word}\n" for word in words))


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def tests() -> None:
    bash, stages = "patronage_bash", "patronage_stages"
    wait(
        "DAGs in the database",
        lambda: rows("SELECT count(*) FROM serialized_dag") >= [(3,)],
        120,
    )
    equal("import errors", rows("SELECT filename, stacktrace FROM import_error"), [])

    # Unpausing starts the newest night that was missed. The shipped data is long stale for it.
    command("dags", "unpause", bash)
    wait("the night of unpausing", lambda: finished(bash, 1), 120)
    query = "SELECT run_id FROM dag_run WHERE dag_id = ? AND run_type = 'scheduled'"
    [(scheduled,)] = rows(query, bash)
    expected = {"run": ("failed", 1), "check": ("upstream_failed", 0)}
    equal("a night with stale input", night(scheduled), expected)

    plan("2025-01-01", "78")
    plan("2024-12-31", "75", "137")
    plan("2024-12-30", "sleep")
    plan("2024-12-29", "empty")
    for date in "2025-01-01", "2024-12-31", "2024-12-30", "2024-12-29":
        logical = f"{date}T02:00:00+00:00"
        command("dags", "trigger", bash, "--logical-date", logical, "--run-id", date)
    command("dags", "trigger", bash, "--run-id", "undated")
    wait("triggered nights", lambda: finished(bash, 6), 400)
    equal("a night that is refused", night("2025-01-01"), expected)
    equal("what a refused night published", published("2025-01-01"), False)
    expected = {"run": ("success", 3), "check": ("success", 1)}
    equal("a night with a failing storage", night("2024-12-31"), expected)
    equal("what it published", published("2024-12-31"), True)
    expected = {"run": ("success", 2), "check": ("success", 1)}
    equal("a night that took too long", night("2024-12-30"), expected)
    equal("its signal", (scratch / "signals").read_text(), "2024-12-30 TERM\n")
    expected = {"run": ("success", 1), "check": ("failed", 1)}
    equal("a night without rows", night("2024-12-29"), expected)
    # Its run date is today, for which the shipped data is stale.
    equal("a night without a logical date", night("undated")["run"], ("failed", 1))
    nights = [span[0] for span in spans()]
    equal("nights one after the other", overlap(spans()), [])
    today = nights[0]
    equal("the run date of the last one", nights[-1] >= today > "2025-01-01", True)
    expected = ["2025-01-01"] + ["2024-12-31"] * 3 + ["2024-12-30"] * 2 + ["2024-12-29"]
    equal("tries", sorted(nights[1:-1], reverse=True), expected)

    # The last day is the midnight with which it begins: two nights. Without --max-active-runs both
    # start at once, but not the program.
    before = len(spans())
    command(
        *("backfill", "create", "--dag-id", bash),
        *("--from-date", "2024-12-26", "--to-date", "2024-12-28"),
    )
    wait("a backfill", lambda: finished(bash, 8), 200)
    nights = [span[0] for span in spans()[before:]]
    equal("nights of a backfill", nights, ["2024-12-26", "2024-12-27"])
    equal("nights of a backfill, one after the other", overlap(spans()[before:]), [])
    whole = [published(f"2024-12-{day}") for day in (26, 27, 28)]
    equal("what it published", whole, [True, True, False])

    # The scheduled night of unpausing fails in its first task; the backfill does not wait for it.
    before = len(spans())
    command("dags", "unpause", stages)
    wait("the night of unpausing", lambda: finished(stages, 1), 120)
    command(
        *("backfill", "create", "--dag-id", stages, "--max-active-runs", "1"),
        *("--from-date", "2024-12-24", "--to-date", "2024-12-26"),
    )
    wait("a backfill in parts", lambda: finished(stages, 3), 300)
    nights = [span[0] for span in spans()[before:]]
    equal("runs of a backfill in parts", nights[1:], ["2024-12-24"] * 6 + ["2024-12-25"] * 6)
    equal("runs of a backfill in parts, one after the other", overlap(spans()[before:]), [])
    equal("what it published", [published(f"2024-12-{day}") for day in (24, 25)], [True, True])


port = free_port()
os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = f"http://127.0.0.1:{port}/execution/"
services = [
    subprocess.Popen(
        [airflow, *service],
        stdout=(scratch / f"{service[0]}.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    for service in (
        ("api-server", "--host", "127.0.0.1", "--port", port, "--workers", "1"),
        ("scheduler", "--skip-serve-logs"),
        ("dag-processor",),
    )
]


def up() -> bool:
    for service in services:
        equal(f"{service.args[1:]} ends with", service.poll(), None)  # type: ignore[index]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/version") as answer:
            return answer.status == 200
    except urllib.error.URLError:
        return False


try:
    wait("the API server", up, 120)
    tests()
finally:
    for service in services:
        service.terminate()
    for service in services:
        try:
            service.wait(20)
        except subprocess.TimeoutExpired:
            service.kill()
print("airflow_nights.py: passed")

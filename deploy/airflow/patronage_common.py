"""What the DAGs of Patronage share: where things are, which exit codes are final, and the check."""

from __future__ import annotations

import json
import logging
import os
import shlex
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

log = logging.getLogger(__name__)

# Environment variables and not Airflow Variables: DAG files are parsed again and again, and a
# Variable would be asked for each time. Set them for the DAG processor and the workers.
PROGRAM = os.environ.get("PATRONAGE_PROGRAM", "patronage")
PROJECT = os.environ.get("PATRONAGE_PROJECT", "/opt/patronage")
PIPELINE = os.environ.get("PATRONAGE_PIPELINE", "pipelines/nightly.yaml")

# The run date is the day in UTC on which the night starts: its rows end with the midnight before.
# A run that was triggered without a logical date has no `ds`; then it is today.
RUN_DATE = "{{ (dag_run.logical_date or dag_run.run_after) | ds }}"

# These end the same however often they are tried: a stage failed (1), usage (2), a check or
# contract failed (65), input is missing or stale (66), a bug (70), the local disk (74), bad
# configuration (78); and the shell could not start the program (126, 127). Where input is merely
# late, take 66 out. All else is retried: storage failed for the moment or another run published
# first (75), stopped (130, 143), killed (137).
FINAL_EXIT_CODES = frozenset({1, 2, 65, 66, 70, 74, 78, 126, 127})

NIGHTLY: dict[str, Any] = {
    # A timetable and not the bare cron expression: what `ds` means with that hangs on the option
    # `create_cron_data_intervals`. In UTC, after midnight, when the day before is in the lake.
    "schedule": CronTriggerTimetable("0 2 * * *", timezone="UTC"),
    "start_date": datetime(2024, 1, 1, tzinfo=timezone.utc),
    # Nights that were missed are made up by a backfill, when somebody says so.
    "catchup": False,
    # Nights share a machine's memory and a directory of artifacts: one after the other.
    "max_active_runs": 1,
    "tags": ["patronage"],
    "default_args": {
        # The program itself tries storage again for three minutes; this sits out half an hour.
        "retries": 3,
        "retry_delay": timedelta(minutes=10),
        # Of one try. Then the program gets SIGTERM, and the next try goes on where it was stopped.
        "execution_timeout": timedelta(hours=3),
        # A backfill has a limit of its own in place of `max_active_runs`; this one holds there too.
        "max_active_tis_per_dag": 1,
    },
}


class FailInsteadOfSkip:
    """Goes before an operator that is given `skip_on_exit_code`: then these codes are final.

    Airflow's operators can skip at an exit code, but not fail without a retry. So they are told to
    skip, and the skip is turned into the failure that is never retried.
    """

    def execute(self, context: Any) -> Any:
        try:
            return super().execute(context)  # type: ignore[misc]
        except AirflowSkipException as skip:
            what = str(skip).removesuffix(" Skipping.")
            raise AirflowFailException(f"{what} Another try would end the same.") from skip


class PatronageRun(FailInsteadOfSkip, BashOperator):
    """`patronage run` on the worker. Its XCom is what the program tells Airflow in a pod."""

    def __init__(self, *, flags: tuple[str, ...] = (), **kwargs: Any) -> None:
        # With `exec` there is no shell between: signals and exit codes are the program's own.
        command = shlex.join(["exec", PROGRAM, "run", PIPELINE, *flags])
        super().__init__(
            bash_command=f"{command} --run-date {RUN_DATE}",
            cwd=PROJECT,
            output_processor=result,
            skip_on_exit_code=FINAL_EXIT_CODES,
            **kwargs,
        )


def result(last_line: str) -> dict[str, Any]:
    """The keys of `/airflow/xcom/return.json` that the check reads, by the last line of a run.

    The report and not `run_results.json`: it has the publications as the XCom of a pod has them,
    also those that have not changed tonight.
    """
    _, found, directory = last_line.partition("Artifacts in ")
    if not found:
        raise AirflowFailException(f"the run ended with `{last_line}` instead of its artifacts")
    report = json.loads((Path(PROJECT) / directory / "report.json").read_text())
    # Airflow asks only after exit code 0.
    return {"exit_code": 0} | {key: report[key] for key in ("run_id", "run_date", "publications")}


@task(retries=0)
def check(result: dict[str, Any]) -> None:
    """Fails if the night published nothing, or a dataset without rows."""
    run = f"run {result['run_id']} of {result['run_date']}"
    if result["exit_code"] != 0:
        raise AirflowFailException(f"{run} ended with exit code {result['exit_code']}")
    if not result["publications"]:
        raise AirflowFailException(f"{run} published nothing")
    for publication in result["publications"]:
        log.info("%s: %s has %s rows", run, publication["name"], publication["rows"])
    empty = [each["name"] for each in result["publications"] if not each["rows"]]
    if empty:
        raise AirflowFailException(f"{run} published no rows of {', '.join(empty)}")

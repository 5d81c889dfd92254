"""The nightly pipeline as one task, with a `patronage` that is installed on the worker."""

from __future__ import annotations

from airflow.sdk import DAG
from patronage_common import NIGHTLY, PatronageRun, check

with DAG("patronage_bash", doc_md=__doc__, **NIGHTLY):
    check(PatronageRun(task_id="run").output)

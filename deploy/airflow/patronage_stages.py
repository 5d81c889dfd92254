"""The nightly pipeline as one task per group of stages, with a `patronage` on the worker.

Each task is a run of its own that finds the tables of the ones before by what they are made of.
So all workers must see one directory of artifacts.
"""

from __future__ import annotations

from airflow.sdk import DAG
from patronage_common import NIGHTLY, PatronageRun, check

# The parts of pipelines/nightly.yaml: `patronage graph` shows what needs what.
PREPARE = "catalog transactions consents sales purchases products customers agreed"
MODELS = {
    "segmentation": "rfm segments density_segments",
    "recommendation": (
        "best_sellers similar_customers similar_products factors alike_products next_products"
    ),
    "prediction": "will_buy next_spend spend_band",
    "value": "lifetime price_response tiers",
}

# A task takes the threads and the memory of a whole run. More of them at once need
# PATRONAGE_THREADS and PATRONAGE_MEMORY_LIMIT, each its share.
with DAG("patronage_stages", doc_md=__doc__, max_active_tasks=1, **NIGHTLY):
    prepare = PatronageRun(task_id="prepare", flags=("--select", PREPARE))
    # Without a selection: what is done is up to date, what no group has named is done too, and the
    # report and the XCom are those of the whole night.
    deliver = PatronageRun(task_id="deliver")
    for group, stages in MODELS.items():
        prepare >> PatronageRun(task_id=group, flags=("--select", stages)) >> deliver
    check(deliver.output)

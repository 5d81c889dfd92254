"""The DAGs of deploy/airflow without a scheduler: groups, the pod, and every exit code.

Usage: airflow_dags.py PROGRAM SCRATCH, in Airflow's environment, as airflow.sh starts it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

program, scratch = sys.argv[1], Path(sys.argv[2])
plan = scratch / "plan" / "2025-01-01"

from airflow.dag_processing.dagbag import DagBag  # noqa: E402
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator  # noqa: E402
from airflow.sdk import DAG  # noqa: E402
from kubernetes.client import ApiClient  # noqa: E402
from kubernetes.client import models as k8s  # noqa: E402

FOLDER = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
# As Airflow does with the folder of DAGs.
sys.path.insert(0, FOLDER)
NIGHT = datetime(2025, 1, 1, 2, tzinfo=timezone.utc)
FINAL = [1, 2, 65, 66, 70, 74, 78]
RETRIED = [75, 130, 137, 143]


def equal(what: str, got: Any, expected: Any) -> None:
    if got != expected:
        sys.exit(f"{what}: expected {expected!r}, got {got!r}")


def groups(dag: DAG) -> None:
    """Each step is in one group, and what a step needs is in its group or above."""
    graph = subprocess.run(
        [program, "graph", os.environ["PATRONAGE_PIPELINE"], "--format", "dot"],
        cwd=os.environ["PATRONAGE_PROJECT"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    edges = re.findall(r'"(?:source|stage)\.(\w+)" -> "stage\.(\w+)"', graph)
    steps = set(re.findall(r'"(?:source|stage)\.(\w+)" \[', graph))
    equal("is the graph read", len(steps) > 20 and len(edges) > 20, True)
    group_of = {}
    for task in dag.tasks:
        selected = re.search(r"--select '(.*?)'", getattr(task, "bash_command", ""))
        for step in selected[1].split() if selected else ():
            equal(f"an earlier group of {step}", group_of.get(step), None)
            group_of[step] = task.task_id
    below_prepare = dag.get_task("prepare").downstream_task_ids
    equal("groups", set(group_of.values()), {"prepare"} | below_prepare)
    equal("steps that do not exist", set(group_of) - steps, set())
    # The last task selects nothing, that is, everything.
    equal("steps of the last task", steps - set(group_of), {"scores", "actions"})
    for above, below in edges:
        upstream = dag.get_task(group_of.get(below, "deliver")).get_flat_relative_ids(upstream=True)
        same = group_of.get(above) == group_of.get(below)
        equal(f"{above} comes before {below}", same or group_of.get(above) in upstream, True)


def pod(dag: DAG) -> None:
    """What is asked of Kubernetes."""
    task = dag.get_task("run")
    run = SimpleNamespace(logical_date=NIGHT, run_after=NIGHT)
    task.render_template_fields({"dag_run": run})  # type: ignore[arg-type]
    spec = ApiClient().sanitize_for_serialization(task.build_pod_request_obj(dry_run=True))["spec"]
    base, sidecar = spec["containers"]
    equal("arguments", base["args"], ["run", "pipelines/nightly.yaml", "--run-date", "2025-01-01"])
    equal("image", base["image"], "registry.example/patronage:1")
    equal("user", spec["securityContext"]["runAsUser"], 65532)
    equal("non-root", spec["securityContext"]["runAsNonRoot"], True)
    equal("seccomp", spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
    for container in base, sidecar:
        context = container["securityContext"]
        equal(f"escalation of {container['name']}", context["allowPrivilegeEscalation"], False)
        equal(f"root of {container['name']}", context["readOnlyRootFilesystem"], True)
        equal(f"capabilities of {container['name']}", context["capabilities"], {"drop": ["ALL"]})
    expected = {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "2Gi"}
    equal("resources", base["resources"], {"requests": expected, "limits": expected})
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    mounts = {mount["name"]: mount for mount in base["volumeMounts"]}
    equal("mounts", set(mounts), set(volumes))
    secret = {"secretName": "patronage-keys", "defaultMode": 0o440}
    equal("secret", volumes["keys"]["secret"], secret)
    equal("where the secret is", mounts["keys"]["mountPath"], "/run/secrets/patronage")
    equal("secret read-only", mounts["keys"]["readOnly"], True)
    equal("artifacts", mounts["artifacts"]["mountPath"], "/project/target/patronage")
    equal("artifacts writable", mounts["artifacts"].get("readOnly", False), False)
    secrets = [v for v in base["env"] if "secretKeyRef" in v.get("valueFrom", {})]
    equal("secrets in variables", secrets + base.get("envFrom", []), [])
    equal("variables", {v["name"] for v in base["env"]}, {"PATRONAGE_ENV", "PATRONAGE_THREADS"})
    equal("sidecar", sidecar["name"], "airflow-xcom-sidecar")
    for container in base, sidecar:
        paths = [mount["mountPath"] for mount in container["volumeMounts"]]
        equal(f"xcom in {container['name']}", "/airflow/xcom" in paths, True)
    equal("token", spec["automountServiceAccountToken"], False)
    equal("service links", spec["enableServiceLinks"], False)
    equal("grace", spec["terminationGracePeriodSeconds"], 30)
    equal("restart", spec["restartPolicy"], "Never")
    equal("message", base["terminationMessagePolicy"], "FallbackToLogsOnError")
    equal("log", task.get_logs, True)


def tries(dag: DAG, codes: list[int]) -> tuple[str, int, str]:
    """How a night ends whose tries end so, after how many tries, and how its check ends."""
    plan.write_text("".join(f"{code}\n" for code in codes))
    for task in dag.tasks:
        task.retry_delay = timedelta(seconds=1)
    run = dag.test(logical_date=NIGHT)
    state = {each.task_id: each for each in run.get_task_instances()}
    return str(state["run"].state), state["run"].try_number, str(state["check"].state)


def pods() -> Any:
    """Stands in for a cluster: a pod is the program, started here."""

    def finished(operator: Any, **_: Any) -> k8s.V1Pod:
        run = subprocess.run(
            [os.environ["PATRONAGE_PROGRAM"], *operator.arguments],
            cwd=os.environ["PATRONAGE_PROJECT"],
            stdout=subprocess.PIPE,
            text=True,
        )
        operator.last_line = run.stdout.strip().rpartition("\n")[2]
        ended = k8s.V1ContainerStateTerminated(exit_code=run.returncode)
        status = k8s.V1ContainerStatus(
            name="base",
            image="",
            image_id="",
            ready=False,
            restart_count=0,
            state=k8s.V1ContainerState(terminated=ended),
        )
        return k8s.V1Pod(
            metadata=k8s.V1ObjectMeta(name="pod", namespace="patronage", labels={}),
            spec=k8s.V1PodSpec(containers=[]),
            status=k8s.V1PodStatus(
                phase="Failed" if run.returncode else "Succeeded", container_statuses=[status]
            ),
        )

    def extract(operator: Any, **_: Any) -> Any:
        import patronage_common

        ended = operator.last_line.startswith("Artifacts in ")
        return patronage_common.result(operator.last_line) if ended else None

    manager = mock.MagicMock()
    manager.await_pod_completion.side_effect = lambda pod, *_: pod
    nothing = dict.fromkeys(
        (
            "await_pod_start",
            "await_init_containers_completion",
            "await_pod_completion",
            "patch_already_checked",
            "process_pod_deletion",
            "_read_pod_container_states",
            "_read_pod_events",
        ),
        mock.MagicMock(),
    )
    return mock.patch.multiple(
        KubernetesPodOperator,
        get_or_create_pod=finished,
        find_pod=lambda operator, *_, **__: operator.pod,
        extract_xcom=extract,
        pod_manager=manager,
        client=mock.MagicMock(),
        hook=mock.MagicMock(**{"get_xcom_sidecar_container_resources.return_value": None}),
        **nothing,
    )


bag = DagBag(FOLDER)
equal("import errors", bag.import_errors, {})
equal("DAGs", set(bag.dags), {"patronage_bash", "patronage_kubernetes", "patronage_stages"})
groups(bag.dags["patronage_stages"])
pod(bag.dags["patronage_kubernetes"])
for name in "patronage_bash", "patronage_kubernetes":
    with pods():
        for code in FINAL + ([126, 127] if name == "patronage_bash" else []):
            got = tries(DagBag(FOLDER).dags[name], [code])
            equal(f"{name} after exit code {code}", got, ("failed", 1, "upstream_failed"))
        for code in RETRIED:
            got = tries(DagBag(FOLDER).dags[name], [code])
            equal(f"{name} after exit code {code}", got, ("success", 2, "success"))
        got = tries(DagBag(FOLDER).dags[name], [75, 75, 75, 75])
        equal(f"{name} after exit code 75, always", got, ("failed", 4, "upstream_failed"))
print("airflow_dags.py: passed")

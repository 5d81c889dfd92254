"""The nightly pipeline as one pod. The names are those of deploy/kubernetes."""

from __future__ import annotations

import os

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG
from kubernetes.client import models as k8s
from patronage_common import (
    FINAL_EXIT_CODES,
    NIGHTLY,
    PIPELINE,
    RUN_DATE,
    FailInsteadOfSkip,
    check,
)

IMAGE = os.environ.get("PATRONAGE_IMAGE", "patronage:0.7.0")
NAMESPACE = os.environ.get("PATRONAGE_NAMESPACE", "patronage")
ENVIRONMENT = os.environ.get("PATRONAGE_ENV", "production")
USER = 65532

# Requests and limits are equal: the last to be evicted. The run keeps to the memory by itself.
RESOURCES = {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "2Gi"}

UNPRIVILEGED = k8s.V1SecurityContext(
    allow_privilege_escalation=False,
    read_only_root_filesystem=True,
    capabilities=k8s.V1Capabilities(drop=["ALL"]),
)

# What is mounted where. Secrets are files: variables are inherited and show up in dumps.
VOLUMES = {
    "/project/pipelines": k8s.V1Volume(
        name="pipelines", config_map=k8s.V1ConfigMapVolumeSource(name="patronage-pipelines")
    ),
    "/project/configs": k8s.V1Volume(
        name="configs", config_map=k8s.V1ConfigMapVolumeSource(name="patronage-configs")
    ),
    "/run/secrets/patronage": k8s.V1Volume(
        name="keys",
        secret=k8s.V1SecretVolumeSource(secret_name="patronage-keys", default_mode=0o440),
    ),
    "/project/target/patronage": k8s.V1Volume(
        name="artifacts",
        persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource("patronage-artifacts"),
    ),
    "/tmp": k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit="1Gi")),
}


class PatronagePod(FailInsteadOfSkip, KubernetesPodOperator):
    """A pod whose final exit codes fail without another try."""


with DAG("patronage_kubernetes", doc_md=__doc__, **NIGHTLY):
    run = PatronagePod(
        task_id="run",
        name="patronage-nightly",
        namespace=NAMESPACE,
        image=IMAGE,
        arguments=["run", PIPELINE, "--run-date", RUN_DATE],
        env_vars=[
            k8s.V1EnvVar(name="PATRONAGE_ENV", value=ENVIRONMENT),
            # As many threads as there are CPUs to run them; more would be throttled.
            k8s.V1EnvVar(
                name="PATRONAGE_THREADS",
                value_from=k8s.V1EnvVarSource(
                    resource_field_ref=k8s.V1ResourceFieldSelector(resource="limits.cpu")
                ),
            ),
        ],
        container_resources=k8s.V1ResourceRequirements(requests=RESOURCES, limits=RESOURCES),
        # The user of the image, by number. The claim and the secrets belong to its group.
        security_context=k8s.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=USER,
            run_as_group=USER,
            fs_group=USER,
            fs_group_change_policy="OnRootMismatch",
            seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        ),
        container_security_context=UNPRIVILEGED,
        volumes=list(VOLUMES.values()),
        volume_mounts=[
            k8s.V1VolumeMount(
                name=volume.name,
                mount_path=path,
                read_only=volume.name in ("pipelines", "configs", "keys"),
            )
            for path, volume in VOLUMES.items()
        ],
        # Nothing asks the API server from within, so there is no token to steal.
        automount_service_account_token=False,
        # Else a Service named `patronage-…` would put PATRONAGE_… variables here, which are flags.
        full_pod_spec=k8s.V1Pod(spec=k8s.V1PodSpec(containers=[], enable_service_links=False)),
        # A sidecar keeps the volume of /airflow/xcom alive until return.json is read.
        do_xcom_push=True,
        xcom_sidecar_container_security_context=UNPRIVILEGED,
        skip_on_exit_code=FINAL_EXIT_CODES,
        get_logs=True,
        # The failures of the run, or else the end of its log, stand in the message of the task.
        termination_message_policy="FallbackToLogsOnError",
        # After SIGTERM a run ends within ten seconds, artifacts written.
        termination_grace_period=30,
    )
    check(run.output)

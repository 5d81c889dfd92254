#!/usr/bin/env python3
"""Checks manifests of CronJobs and Jobs that run Patronage: what the schema allows and a night
would fail by.

The API server refuses some of it (exit codes that are not sorted, a policy on a container that is
not there). The rest it accepts, and a pod then cannot write, retries what cannot succeed, skips
nights, or shows a secret. With --self-test each rule is broken in turn in the files that are given,
and has to be reported, by that rule."""

import argparse
import copy
import dataclasses
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

# docs/reference/cli.md: what the same again would not mend, and what it may.
FATAL = {1, 2, 65, 66, 70, 74, 78}
TRANSIENT = {75}
# A run ends within ten seconds of SIGTERM.
GRACE_SECONDS_MIN = 15
DAY_SECONDS = 86400

TERMINATION_LOG = "/dev/termination-log"
SECRET_NAME = re.compile(r"(?i)(secret|password|passwd|token|credential|api_?key|access_?key)")
# AWS's key ids, and private keys.
SECRET_VALUE = re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----")
# Where an environment file says which key, and must do so by reference.
SECRET_PLACES = [
    "pseudonyms.key",
    "s3.credentials.keys.access_key_id",
    "s3.credentials.keys.secret_access_key",
    "s3.credentials.keys.session_token",
]


@dataclasses.dataclass(frozen=True)
class Problem:
    rule: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text} [{self.rule}]"


@dataclasses.dataclass
class Document:
    """A resource, and the files' other resources, which it may name."""

    place: str
    body: dict[str, Any]
    others: list[dict[str, Any]]
    complete: bool = False

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def job(self) -> dict[str, Any] | None:
        place = {"CronJob": "spec.jobTemplate.spec", "Job": "spec"}.get(self.kind)
        found: dict[str, Any] | None = get(self.body, place) if place else None
        return found

    @property
    def pod(self) -> dict[str, Any]:
        return get(self.job or {}, "template.spec") or {}

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [*(self.pod.get("initContainers") or []), *(self.pod.get("containers") or [])]

    def named(self, kind: str, name: str) -> dict[str, Any] | None:
        found = [other for other in self.others if other.get("kind") == kind]
        return next((other for other in found if get(other, "metadata.name") == name), None)


def get(value: Any, path: str) -> Any:
    """What stands at `a.b.c`, or None."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


Rule = Callable[[Document], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(check: Rule) -> Rule:
    RULES[check.__name__.replace("_", "-")] = check
    return check


# The schedule.


@rule
def forbid(document: Document) -> Iterator[str]:
    if document.kind == "CronJob" and get(document.body, "spec.concurrencyPolicy") != "Forbid":
        yield "concurrencyPolicy is not Forbid: nights would overlap, or stop each other"


@rule
def time_zone(document: Document) -> Iterator[str]:
    if document.kind != "CronJob":
        return
    if not get(document.body, "spec.timeZone"):
        yield "no timeZone: the schedule is in whatever zone the control plane is"
    if "TZ=" in str(get(document.body, "spec.schedule")):
        yield "a zone in the schedule is refused; use timeZone"


@rule
def starting_deadline(document: Document) -> Iterator[str]:
    if document.kind != "CronJob":
        return
    starting = whole(get(document.body, "spec.startingDeadlineSeconds"))
    if starting is None:
        yield "no startingDeadlineSeconds: a missed night may start on another run date"
    elif starting < 10:
        yield "startingDeadlineSeconds below 10: the controller looks only every 10 s"
    active = whole(get(document.job, "activeDeadlineSeconds")) or 0
    start = daily(str(get(document.body, "spec.schedule")))
    if starting and start is not None and start + starting + active > DAY_SECONDS:
        yield "startingDeadlineSeconds and activeDeadlineSeconds reach into another run date"


def daily(schedule: str) -> int | None:
    """The second of the day at which a daily schedule starts; of others 0 or None."""
    fields = schedule.split()
    if len(fields) != 5:
        return None
    minute, hour = fields[:2]
    return int(hour) * 3600 + int(minute) * 60 if minute.isdigit() and hour.isdigit() else 0


@rule
def history(document: Document) -> Iterator[str]:
    if document.kind == "CronJob":
        for key in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
            if whole(get(document.body, f"spec.{key}")) is None:
                yield f"no {key}"


# The job.


@rule
def active_deadline(document: Document) -> Iterator[str]:
    if not whole(get(document.job, "activeDeadlineSeconds")):
        yield "no activeDeadlineSeconds: what hangs keeps all later nights from starting"


@rule
def backoff_limit(document: Document) -> Iterator[str]:
    job = document.job or {}
    if whole(job.get("backoffLimit")) is None and whole(job.get("backoffLimitPerIndex")) is None:
        yield "neither backoffLimit nor backoffLimitPerIndex"
    if job.get("backoffLimitPerIndex") is None and job.get("maxFailedIndexes") is not None:
        yield "maxFailedIndexes needs backoffLimitPerIndex"


@rule
def indexed(document: Document) -> Iterator[str]:
    job = document.job or {}
    if job.get("completionMode") == "Indexed":
        for key in ("completions", "parallelism"):
            if not whole(job.get(key)):
                yield f"completionMode is Indexed without {key}"
        if "JOB_COMPLETION_INDEX" not in str(
            [(c.get("command"), c.get("args")) for c in document.containers]
        ):
            yield "no container uses JOB_COMPLETION_INDEX: each index would do the same"
    elif job.get("backoffLimitPerIndex") is not None:
        yield "backoffLimitPerIndex needs completionMode Indexed"


@rule
def one_claim(document: Document) -> Iterator[str]:
    if (whole(get(document.job, "parallelism")) or 1) == 1:
        return
    for volume in document.pod.get("volumes") or []:
        name = get(volume, "persistentVolumeClaim.claimName")
        claim = document.named("PersistentVolumeClaim", name) if name else None
        if claim and "ReadWriteMany" not in (get(claim, "spec.accessModes") or []):
            yield f"pods at once, but only one node at a time may have the claim {name}"


# The policy.


def policy(document: Document) -> list[dict[str, Any]]:
    return get(document.job, "podFailurePolicy.rules") or []


def codes(document: Document, action: str) -> set[int]:
    found: set[int] = set()
    for one in policy(document):
        if one.get("action") == action and get(one, "onExitCodes.operator") == "In":
            found |= set(get(one, "onExitCodes.values") or [])
    return found


@rule
def exit_codes_sorted(document: Document) -> Iterator[str]:
    for number, one in enumerate(policy(document)):
        if "onExitCodes" in one:
            values = get(one, "onExitCodes.values") or []
            if not values or values != sorted(set(values)):
                yield f"rule {number}: exit codes not in ascending order, each once: {values}"
            if 0 in values and get(one, "onExitCodes.operator") == "In":
                yield f"rule {number}: 0 is no failure"


@rule
def exit_codes_fatal(document: Document) -> Iterator[str]:
    missing = FATAL - codes(document, "FailJob") - codes(document, "FailIndex")
    if missing:
        yield f"retried though it is no use: exit codes {sorted(missing)}"


@rule
def exit_codes_transient(document: Document) -> Iterator[str]:
    if TRANSIENT & (
        codes(document, "FailJob") | codes(document, "FailIndex") | codes(document, "Ignore")
    ):
        yield "75 is worth a retry that is counted"
    elif TRANSIENT - codes(document, "Count"):
        yield "no rule counts 75"


@rule
def disruption(document: Document) -> Iterator[str]:
    for one in policy(document):
        if one.get("action") == "Ignore":
            for condition in one.get("onPodConditions") or []:
                if (
                    condition.get("type") == "DisruptionTarget"
                    and condition.get("status", "True") == "True"
                ):
                    return
    yield "no rule ignores pods with DisruptionTarget: a drained node counts as a failed run"


@rule
def policy_shape(document: Document) -> Iterator[str]:
    for number, one in enumerate(policy(document)):
        if ("onExitCodes" in one) == ("onPodConditions" in one):
            yield f"rule {number}: either onExitCodes or onPodConditions"
        if one.get("action") not in ("FailJob", "FailIndex", "Ignore", "Count"):
            yield f"rule {number}: no such action: {one.get('action')}"
    if len(policy(document)) > 20:
        yield "more than 20 rules"


@rule
def policy_container(document: Document) -> Iterator[str]:
    names = {container.get("name") for container in document.containers}
    for number, one in enumerate(policy(document)):
        if "onExitCodes" in one:
            name = get(one, "onExitCodes.containerName")
            if name is None:
                yield f"rule {number}: no containerName: any container's code would count"
            elif name not in names:
                yield f"rule {number}: there is no container {name}"


@rule
def fail_index(document: Document) -> Iterator[str]:
    actions = {one.get("action") for one in policy(document)}
    if "FailIndex" in actions and get(document.job, "backoffLimitPerIndex") is None:
        yield "FailIndex needs backoffLimitPerIndex"


# The pod.


@rule
def restart_never(document: Document) -> Iterator[str]:
    if document.pod.get("restartPolicy") != "Never":
        yield "restartPolicy is not Never: podFailurePolicy is refused without it"


@rule
def no_token(document: Document) -> Iterator[str]:
    if document.pod.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken is not false"


@rule
def no_service_links(document: Document) -> Iterator[str]:
    if document.pod.get("enableServiceLinks") is not False:
        yield "enableServiceLinks is not false: Services would set PATRONAGE_… variables"


@rule
def grace(document: Document) -> Iterator[str]:
    if (whole(document.pod.get("terminationGracePeriodSeconds")) or 0) < GRACE_SECONDS_MIN:
        yield f"terminationGracePeriodSeconds is not given or below {GRACE_SECONDS_MIN}"


@rule
def no_host(document: Document) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if document.pod.get(key):
            yield f"{key} is set"
    for volume in document.pod.get("volumes") or []:
        if "hostPath" in volume:
            yield f"volume {volume.get('name')} is a path of the node"


def effective(document: Document, container: dict[str, Any], key: str) -> Any:
    """What of the two security contexts counts."""
    own = get(container, f"securityContext.{key}")
    return own if own is not None else get(document.pod, f"securityContext.{key}")


@rule
def non_root(document: Document) -> Iterator[str]:
    for container in document.containers:
        name = container.get("name")
        if effective(document, container, "runAsNonRoot") is not True:
            yield f"container {name}: runAsNonRoot is not true"
        for key in ("runAsUser", "runAsGroup"):
            if not whole(effective(document, container, key)):
                yield f"container {name}: {key} is not given or 0"


@rule
def seccomp(document: Document) -> Iterator[str]:
    for container in document.containers:
        if effective(document, container, "seccompProfile.type") not in (
            "RuntimeDefault",
            "Localhost",
        ):
            yield f"container {container.get('name')}: no seccompProfile"


@rule
def read_only_root(document: Document) -> Iterator[str]:
    for container in document.containers:
        if get(container, "securityContext.readOnlyRootFilesystem") is not True:
            yield f"container {container.get('name')}: readOnlyRootFilesystem is not true"


@rule
def no_privileges(document: Document) -> Iterator[str]:
    for container in document.containers:
        name, context = container.get("name"), container.get("securityContext") or {}
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"container {name}: allowPrivilegeEscalation is not false"
        if context.get("privileged"):
            yield f"container {name}: privileged"
        if "ALL" not in (get(context, "capabilities.drop") or []) or get(
            context, "capabilities.add"
        ):
            yield f"container {name}: not all capabilities are dropped"


@rule
def fs_group(document: Document) -> Iterator[str]:
    volumes = document.pod.get("volumes") or []
    claimed = any("persistentVolumeClaim" in volume for volume in volumes)
    if claimed and not whole(get(document.pod, "securityContext.fsGroup")):
        yield "no fsGroup: a new claim belongs to root, and the run cannot write"


@rule
def image_version(document: Document) -> Iterator[str]:
    for container in document.containers:
        image = str(container.get("image") or "")
        name, _, digest = image.partition("@")
        tag = name.rpartition("/")[2].partition(":")[2]
        if not digest and tag in ("", "latest"):
            yield f"container {container.get('name')}: {image or 'no image'} has no version"


@rule
def resources(document: Document) -> Iterator[str]:
    for container in document.containers:
        name, given = container.get("name"), container.get("resources") or {}
        for key in ("requests.cpu", "requests.memory", "limits.memory", "limits.ephemeral-storage"):
            if get(given, key) is None:
                yield f"container {name}: no {key}"
        if get(given, "limits.memory") != get(given, "requests.memory"):
            yield f"container {name}: the memory limit is not the request: the node may not have it"


@rule
def termination_message(document: Document) -> Iterator[str]:
    for container in document.containers:
        name = container.get("name")
        if container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            yield f"container {name}: terminationMessagePolicy is not FallbackToLogsOnError"
        if container.get("terminationMessagePath", TERMINATION_LOG) != TERMINATION_LOG:
            yield f"container {name}: the run writes to {TERMINATION_LOG}, and nowhere else"


# Volumes and secrets.


@rule
def mounts(document: Document) -> Iterator[str]:
    volumes = [volume.get("name") for volume in document.pod.get("volumes") or []]
    used: set[Any] = set()
    for container in document.containers:
        name, paths = container.get("name"), []
        for mount in container.get("volumeMounts") or []:
            used.add(mount.get("name"))
            paths.append(str(mount.get("mountPath")).rstrip("/"))
            if mount.get("name") not in volumes:
                yield f"container {name}: there is no volume {mount.get('name')}"
        for path in sorted({path for path in paths if paths.count(path) > 1}):
            yield f"container {name}: {path} is mounted twice"
    for volume in volumes:
        if volumes.count(volume) > 1:
            yield f"volume {volume} is there twice"
        if volume not in used:
            yield f"volume {volume} is mounted nowhere"


@rule
def mounts_read_only(document: Document) -> Iterator[str]:
    volumes = document.pod.get("volumes") or []
    given = {
        volume.get("name")
        for volume in volumes
        if {"secret", "configMap", "projected"} & set(volume)
    }
    for container in document.containers:
        for mount in container.get("volumeMounts") or []:
            if mount.get("name") in given and mount.get("readOnly") is not True:
                place = f"container {container.get('name')}: {mount.get('mountPath')}"
                yield f"{place} is not mounted readOnly"


@rule
def writable(document: Document) -> Iterator[str]:
    volumes = {volume.get("name"): volume for volume in document.pod.get("volumes") or []}
    for container in document.containers:
        paths = {}
        for mount in container.get("volumeMounts") or []:
            if mount.get("readOnly") is not True:
                paths[str(mount.get("mountPath")).rstrip("/")] = (
                    volumes.get(mount.get("name")) or {}
                )
        if "/tmp" not in paths:
            yield f"container {container.get('name')}: nothing writable at /tmp"
        if not any(re.search(r"/target(/|$)|/artifacts(/|$)", path) for path in paths):
            yield f"container {container.get('name')}: nothing writable at …/target or …/artifacts"


@rule
def size_limit(document: Document) -> Iterator[str]:
    for volume in document.pod.get("volumes") or []:
        if "emptyDir" in volume and not get(volume, "emptyDir.sizeLimit"):
            yield f"volume {volume.get('name')}: an emptyDir without sizeLimit"


@rule
def secret_mode(document: Document) -> Iterator[str]:
    for volume in document.pod.get("volumes") or []:
        if "secret" in volume:
            mode = whole(get(volume, "secret.defaultMode"))
            if mode is None or mode & 0o007:
                yield f"volume {volume.get('name')}: all may read the secret; defaultMode 0440"


@rule
def secret_in_variable(document: Document) -> Iterator[str]:
    for container in document.containers:
        name = container.get("name")
        for source in container.get("envFrom") or []:
            if "secretRef" in source:
                yield f"container {name}: a Secret as variables; mount it"
        for variable in container.get("env") or []:
            value = variable.get("value")
            if get(variable, "valueFrom.secretKeyRef"):
                yield f"container {name}: {variable.get('name')} is a secret; mount it as a file"
            elif value and (
                SECRET_NAME.search(variable.get("name", "")) and not str(value).startswith("/")
            ):
                yield f"container {name}: {variable.get('name')} looks like a secret, in plain text"
            elif value and SECRET_VALUE.search(str(value)):
                yield f"container {name}: the value of {variable.get('name')} is a key"


def key_written(text: str) -> Iterator[bool]:
    """Whether each key of an environment file stands there itself."""
    try:
        environment = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    for path in SECRET_PLACES:
        value = get(environment, path)
        yield value is not None and not isinstance(value, dict)


@rule
def secret_in_config(document: Document) -> Iterator[str]:
    """Of a ConfigMap or a Secret that a manifest holds."""
    if document.kind == "Secret" and (document.body.get("data") or document.body.get("stringData")):
        yield "a Secret with its values: whoever reads the repository has them"
    if document.kind == "ConfigMap":
        for key, text in (document.body.get("data") or {}).items():
            if SECRET_VALUE.search(text) or any(key_written(text)):
                yield f"{key} holds a key; refer to a file with `secret: {{file: …}}`"


@rule
def references(document: Document) -> Iterator[str]:
    """With --complete the files hold what they name, but for Secrets."""
    if not document.complete:
        return
    for volume in document.pod.get("volumes") or []:
        for kind, name in (
            ("ConfigMap", get(volume, "configMap.name")),
            ("PersistentVolumeClaim", get(volume, "persistentVolumeClaim.claimName")),
        ):
            if name and not document.named(kind, name):
                yield f"there is no {kind} {name}"


EVERYWHERE = {"secret-in-config"}


class Loader(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML's readers take the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"the key {key.value} is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(paths: list[Path], complete: bool = False) -> list[Document]:
    documents = []
    for path in paths:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        for body in yaml.load_all(text, Loader):
            if body is not None:
                name = get(body, "metadata.name") or get(body, "metadata.generateName")
                place = f"{path}: {body.get('kind')} {name}"
                documents.append(Document(place, body, [], complete))
    for document in documents:
        document.others = [other.body for other in documents]
    return documents


def check(documents: list[Document]) -> list[Problem]:
    problems = []
    for document in documents:
        for name, one in RULES.items():
            if document.job is not None or name in EVERYWHERE:
                problems += [Problem(name, document.place, text) for text in one(document)]
    return problems


def kustomization(directory: Path) -> list[str]:
    """What kustomize would be told: files that are there, all of them, and all that the jobs name."""
    told = yaml.load((directory / "kustomization.yaml").read_text(), Loader)
    maps = {one["name"]: one["files"] for one in told["configMapGenerator"]}
    files = [file for named in maps.values() for file in named]
    missing = [file for file in [*told["resources"], *files] if not (directory / file).is_file()]
    if missing:
        return [f"{file} is not there" for file in missing]
    folders = {(directory / file).parent for file in files}
    beside = {str(file.relative_to(directory)) for folder in folders for file in folder.iterdir()}
    wrong = [f"{file} is in no ConfigMap" for file in sorted(beside - set(files))]
    documents = read([directory / file for file in told["resources"]])
    volumes = [one for document in documents for one in document.pod.get("volumes") or []]
    mounted = {name for one in volumes if (name := get(one, "configMap.name"))}
    wrong += [f"ConfigMap {name}: made or mounted, not both" for name in sorted(mounted ^ maps.keys())]
    images = {one["image"].split(":")[0] for document in documents for one in document.containers}
    unknown = {one["name"] for one in told["images"]} - images
    wrong += [f"no container has the image {name}" for name in sorted(unknown)]
    return wrong


# The self-test: how each rule is broken.

Break = Callable[[dict[str, Any]], None]


def put(path: str, value: Any = None) -> Break:
    """Sets what stands at a path below a body's job, pod, container or itself; None removes it."""

    def change(body: dict[str, Any]) -> None:
        where, _, rest = path.partition(".")
        document = Document("", body, [])
        start = {"body": body, "job": document.job, "pod": document.pod}
        target: Any = start[where] if where in start else document.containers[0]
        *parents, last = rest.split(".")
        for key in parents:
            target = target[int(key)] if isinstance(target, list) else target.setdefault(key, {})
        if value is None:
            del target[last]
        else:
            target[last] = value

    return change


def change_rule(action: str, change: Callable[[dict[str, Any]], None]) -> Break:
    def apply(body: dict[str, Any]) -> None:
        for one in policy(Document("", body, [])):
            if one["action"] == action:
                change(one)

    return apply


def change_values(action: str, change: Callable[[list[int]], list[int]]) -> Break:
    def apply(one: dict[str, Any]) -> None:
        one["onExitCodes"]["values"] = change(one["onExitCodes"]["values"])

    return change_rule(action, apply)


def drop_rule(action: str) -> Break:
    def change(body: dict[str, Any]) -> None:
        rules = policy(Document("", body, []))
        rules[:] = [one for one in rules if one["action"] != action]

    return change


def add(path: str, item: Any) -> Break:
    def change(body: dict[str, Any]) -> None:
        document = Document("", body, [])
        where, key = path.split(".")
        target = document.pod if where == "pod" else document.containers[0]
        target.setdefault(key, []).append(item)

    return change


def volume(kind: str, path: str, value: Any = None) -> Break:
    """Changes the first volume of a kind."""

    def change(body: dict[str, Any]) -> None:
        volumes = Document("", body, []).pod["volumes"]
        target = next(one for one in volumes if kind in one)[kind]
        if value is None:
            del target[path]
        else:
            target[path] = value

    return change


def unmount(path: str) -> Break:
    def change(body: dict[str, Any]) -> None:
        container = Document("", body, []).containers[0]
        container["volumeMounts"] = [m for m in container["volumeMounts"] if m["mountPath"] != path]

    return change


def mount(path: str, key: str, value: Any) -> Break:
    def change(body: dict[str, Any]) -> None:
        mounts = Document("", body, []).containers[0]["volumeMounts"]
        next(one for one in mounts if one["mountPath"] == path)[key] = value

    return change


CRON, IN_ORDER, PARALLEL = "CronJob", "Job", "parallel Job"
JOBS = (CRON, IN_ORDER, PARALLEL)
TMP = {"name": "tmp", "mountPath": "/tmp/"}
CONTAINER = "container.securityContext"

BREAKS: list[tuple[str, tuple[str, ...], Break]] = [
    ("forbid", (CRON,), put("body.spec.concurrencyPolicy", "Replace")),
    ("forbid", (CRON,), put("body.spec.concurrencyPolicy")),
    ("time-zone", (CRON,), put("body.spec.timeZone")),
    ("time-zone", (CRON,), put("body.spec.schedule", "TZ=Europe/Berlin 30 2 * * *")),
    ("starting-deadline", (CRON,), put("body.spec.startingDeadlineSeconds")),
    ("starting-deadline", (CRON,), put("body.spec.startingDeadlineSeconds", 5)),
    ("starting-deadline", (CRON,), put("body.spec.schedule", "0 22 * * *")),
    ("starting-deadline", (CRON,), put("job.activeDeadlineSeconds", 80000)),
    ("history", (CRON,), put("body.spec.failedJobsHistoryLimit")),
    ("active-deadline", JOBS, put("job.activeDeadlineSeconds")),
    ("backoff-limit", (CRON, IN_ORDER), put("job.backoffLimit")),
    ("backoff-limit", (CRON, IN_ORDER), put("job.maxFailedIndexes", 3)),
    ("indexed", (IN_ORDER, PARALLEL), put("job.completions")),
    ("indexed", (IN_ORDER, PARALLEL), put("job.parallelism")),
    (
        "indexed",
        (IN_ORDER, PARALLEL),
        put("container.args", ["exec patronage run pipelines/customers.yaml"]),
    ),
    ("indexed", (PARALLEL,), put("job.completionMode")),
    ("one-claim", (IN_ORDER,), put("job.parallelism", 4)),
    ("exit-codes-sorted", JOBS, change_values("FailJob", lambda values: values[::-1])),
    ("exit-codes-sorted", JOBS, change_values("FailJob", lambda values: [*values, values[-1]])),
    ("exit-codes-sorted", JOBS, change_values("Count", lambda _: [])),
    ("exit-codes-sorted", JOBS, change_values("FailJob", lambda values: [0, *values])),
    ("exit-codes-fatal", JOBS, change_values("FailJob", lambda values: values[:-1])),
    ("exit-codes-fatal", JOBS, put("job.podFailurePolicy")),
    ("exit-codes-transient", JOBS, drop_rule("Count")),
    ("exit-codes-transient", JOBS, change_values("FailJob", lambda values: sorted([*values, 75]))),
    ("disruption", JOBS, drop_rule("Ignore")),
    (
        "disruption",
        JOBS,
        change_rule("Ignore", lambda one: one["onPodConditions"][0].update(status="False")),
    ),
    (
        "policy-shape",
        JOBS,
        change_rule("Ignore", lambda one: one.update(onExitCodes={"values": [3]})),
    ),
    ("policy-shape", JOBS, change_rule("Count", lambda one: one.update(action="Retry"))),
    (
        "policy-container",
        JOBS,
        change_rule("Count", lambda one: one["onExitCodes"].update(containerName="main")),
    ),
    (
        "policy-container",
        JOBS,
        change_rule("Count", lambda one: one["onExitCodes"].pop("containerName")),
    ),
    ("policy-container", JOBS, put("container.name", "main")),
    (
        "fail-index",
        (CRON, IN_ORDER),
        change_rule("FailJob", lambda one: one.update(action="FailIndex")),
    ),
    ("restart-never", JOBS, put("pod.restartPolicy", "OnFailure")),
    ("restart-never", JOBS, put("pod.restartPolicy")),
    ("no-token", JOBS, put("pod.automountServiceAccountToken")),
    ("no-service-links", JOBS, put("pod.enableServiceLinks")),
    ("grace", JOBS, put("pod.terminationGracePeriodSeconds", 5)),
    ("no-host", JOBS, put("pod.hostNetwork", True)),
    ("no-host", JOBS, add("pod.volumes", {"name": "node", "hostPath": {"path": "/"}})),
    ("non-root", JOBS, put("pod.securityContext.runAsNonRoot")),
    ("non-root", JOBS, put("pod.securityContext.runAsUser", 0)),
    ("non-root", JOBS, put(f"{CONTAINER}.runAsUser", 0)),
    ("non-root", JOBS, put("pod.securityContext.runAsGroup")),
    ("seccomp", JOBS, put("pod.securityContext.seccompProfile.type", "Unconfined")),
    ("read-only-root", JOBS, put(f"{CONTAINER}.readOnlyRootFilesystem")),
    ("no-privileges", JOBS, put(f"{CONTAINER}.allowPrivilegeEscalation")),
    ("no-privileges", JOBS, put(f"{CONTAINER}.privileged", True)),
    ("no-privileges", JOBS, put(f"{CONTAINER}.capabilities.drop", ["NET_RAW"])),
    ("no-privileges", JOBS, put(f"{CONTAINER}.capabilities.add", ["NET_ADMIN"])),
    ("fs-group", (CRON, IN_ORDER), put("pod.securityContext.fsGroup")),
    ("image-version", JOBS, put("container.image", "registry.example:5000/patronage")),
    ("image-version", JOBS, put("container.image", "patronage:latest")),
    ("resources", JOBS, put("container.resources.limits.memory", "8Gi")),
    ("resources", JOBS, put("container.resources.requests.cpu")),
    ("resources", JOBS, put("container.resources.limits.ephemeral-storage")),
    ("resources", JOBS, put("container.resources")),
    ("termination-message", JOBS, put("container.terminationMessagePolicy")),
    ("termination-message", JOBS, put("container.terminationMessagePath", "/tmp/said")),
    ("mounts", JOBS, mount("/project/configs", "name", "config")),
    ("mounts", JOBS, add("container.volumeMounts", TMP)),
    ("mounts", JOBS, unmount("/project/configs")),
    ("mounts", JOBS, add("pod.volumes", {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}})),
    ("mounts-read-only", JOBS, mount("/run/secrets/patronage", "readOnly", False)),
    ("mounts-read-only", JOBS, mount("/project/pipelines", "readOnly", False)),
    ("writable", JOBS, unmount("/tmp")),
    ("writable", JOBS, mount("/project/target/patronage", "readOnly", True)),
    ("size-limit", JOBS, volume("emptyDir", "sizeLimit")),
    ("secret-mode", JOBS, volume("secret", "defaultMode", 0o444)),
    ("secret-mode", JOBS, volume("secret", "defaultMode")),
    (
        "secret-in-variable",
        JOBS,
        add("container.env", {"name": "LAKE_SECRET", "value": "in plain text"}),
    ),
    ("secret-in-variable", JOBS, add("container.env", {"name": "ID", "value": "AKIA" + "A" * 16})),
    (
        "secret-in-variable",
        JOBS,
        add(
            "container.env", {"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
        ),
    ),
    (
        "secret-in-variable",
        JOBS,
        add("container.envFrom", {"secretRef": {"name": "patronage-keys"}}),
    ),
    ("references", (CRON, IN_ORDER), volume("persistentVolumeClaim", "claimName", "another")),
    ("references", JOBS, volume("configMap", "name", "another")),
]

# Resources beside the jobs, and whether they are refused.
BESIDE: list[tuple[str, dict[str, Any], bool]] = [
    ("secret-in-config", {"kind": "Secret", "data": {"key": "a2V5"}}, True),
    ("secret-in-config", {"kind": "Secret", "stringData": {"key": "key"}}, True),
    (
        "secret-in-config",
        {
            "kind": "ConfigMap",
            "data": {"a.yaml": "s3: {credentials: {keys: {secret_access_key: wJalr}}}"},
        },
        True,
    ),
    ("secret-in-config", {"kind": "ConfigMap", "data": {"a.yaml": "id: AKIA" + "B" * 16}}, True),
    (
        "secret-in-config",
        {"kind": "ConfigMap", "data": {"a.yaml": "pseudonyms:\n  key: 0123456789"}},
        True,
    ),
    (
        "secret-in-config",
        {"kind": "ConfigMap", "data": {"a.yaml": "key: {secret: {file: /run/key}}"}},
        False,
    ),
    ("secret-in-config", {"kind": "ConfigMap", "data": {"a.yaml": "key: [product_id]\n"}}, False),
]


def which(document: Document) -> str:
    if document.kind == "Job" and (whole(get(document.job, "parallelism")) or 1) > 1:
        return PARALLEL
    return document.kind


def self_test(documents: list[Document]) -> list[str]:
    """What went wrong: a rule that was broken and not reported, or that was not tried."""
    wrong, tried = [], set()
    if check(documents):
        return ["the files have problems of their own"]
    # The files need not be complete; what they name is made up for them.
    others = [other.body for other in documents]
    for document in documents:
        for one in document.pod.get("volumes") or []:
            for kind, name in (
                ("ConfigMap", get(one, "configMap.name")),
                ("PersistentVolumeClaim", get(one, "persistentVolumeClaim.claimName")),
            ):
                if name and not document.named(kind, name):
                    others.append({"kind": kind, "metadata": {"name": name}})
    breaks = 0
    for name, kinds, change in BREAKS:
        for document in documents:
            if document.job is None or which(document) not in kinds:
                continue
            broken = Document(document.place, copy.deepcopy(document.body), others, complete=True)
            if check([broken]):
                wrong.append(f"{name}: {document.place} has problems before it is broken")
            change(broken.body)
            found = {problem.rule for problem in check([broken])}
            breaks += 1
            tried.add(name)
            if name not in found:
                wrong.append(f"{name}: broken in {document.place}, reported is {sorted(found)}")
    for name, body, refused in BESIDE:
        found = {problem.rule for problem in check([Document("beside", body, [])])}
        breaks += 1
        tried.add(name)
        if (name in found) != refused:
            wrong.append(f"{name}: {body} was {'not ' if refused else ''}reported")
    try:
        yaml.load("spec: {a: 1, a: 2}", Loader)
        wrong.append("a key that is there twice is not refused")
    except yaml.YAMLError:
        pass
    wrong += [f"no break of {name} was tried" for name in RULES if name not in tried]
    print(f"self-test: {breaks} breaks of {len(tried)} rules")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, help="manifests; - is standard input")
    parser.add_argument(
        "--complete", action="store_true", help="the files hold all that they name, but for Secrets"
    )
    parser.add_argument(
        "--self-test", action="store_true", help="break each rule and see that it is reported"
    )
    parser.add_argument(
        "--kustomization",
        action="store_true",
        help="instead, what kustomize is told in these directories",
    )
    given = parser.parse_args()
    try:
        if given.kustomization:
            wrong = [f"{place}: {line}" for place in given.files for line in kustomization(place)]
            print("\n".join(wrong or ["what the kustomization names is there"]))
            return 1 if wrong else 0
        documents = read(given.files, given.complete)
    except (OSError, yaml.YAMLError) as error:
        print(error, file=sys.stderr)
        return 1
    if given.self_test:
        wrong = self_test(documents)
    else:
        wrong = [str(problem) for problem in check(documents)]
        jobs = sum(document.job is not None for document in documents)
        if jobs == 0:
            wrong.append("no CronJob and no Job in the files")
        print(f"{len(documents)} resources, {jobs} jobs, {len(RULES)} rules: {len(wrong)} problems")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

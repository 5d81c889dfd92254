#!/usr/bin/env python3
"""Makes an OCI bundle for `runc` out of a pod template, as a kubelet and a runtime would: user,
groups, read-only root, capabilities, seccomp, memory, variables, the index of an Indexed Job, and
volumes. Files of ConfigMaps and Secrets are links into a directory `..data`, with the mode and the
group that the pod asks for.

--volume NAME=DIRECTORY gives what is in a volume; a claim or an emptyDir is that directory
itself. --only-security takes user, root and rights of the pod and leaves out its command, variables
and volumes."""

import argparse
import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

SECCOMP = Path("/usr/share/containers/seccomp.json")
# As in seccomp.json.
ARCHITECTURES = {"x86_64": ("amd64", "SCMP_ARCH_X86_64"), "aarch64": ("arm64", "SCMP_ARCH_AARCH64")}
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def template(path: Path) -> dict[str, Any]:
    for body in yaml.safe_load_all(path.read_text()):
        spec = body["spec"]
        job = spec["jobTemplate"]["spec"] if body["kind"] == "CronJob" else spec
        if "template" in job:
            pod: dict[str, Any] = job["template"]["spec"]
            return pod
    sys.exit(f"no pod in {path}")


def number(quantity: str) -> int:
    unit = quantity[-2:]
    return int(quantity[:-2]) * UNITS[unit] if unit in UNITS else int(quantity)


def seccomp() -> dict[str, Any]:
    """The default profile of Debian's containers-common, for a process without capabilities."""
    given = json.loads(SECCOMP.read_text())
    short, name = ARCHITECTURES[platform.machine()]
    calls = []
    for call in given["syscalls"]:
        only, but = call.get("includes") or {}, call.get("excludes") or {}
        if only.get("caps") or short not in only.get("arches", [short]):
            continue
        if short in but.get("arches", []):
            continue
        keys = ("names", "action", "errnoRet", "args")
        calls.append({key: call[key] for key in keys if call.get(key) is not None})
    return {
        "defaultAction": given["defaultAction"],
        "defaultErrnoRet": given.get("defaultErrnoRet", 1),
        "architectures": [name],
        "syscalls": calls,
    }


def projected(source: Path, to: Path, mode: int, group: int) -> None:
    """Files as a kubelet lays them: links into `..data`, which it can exchange at once."""
    data = to / "..2026_11_27_00_00_00.1"
    data.mkdir(parents=True)
    (to / "..data").symlink_to(data.name)
    for file in sorted(source.iterdir()):
        shutil.copyfile(file, data / file.name)
        os.chown(data / file.name, 0, group)
        (data / file.name).chmod(mode)
        (to / file.name).symlink_to(f"..data/{file.name}")
    for directory in (to, data):
        directory.chmod(0o755)


def shared(directory: Path, group: int) -> None:
    """A volume that is written: of root and the pod's group, as fsGroup makes it."""
    directory.mkdir(parents=True, exist_ok=True)
    if directory.stat().st_gid != group:
        os.chown(directory, 0, group)
        directory.chmod(0o2775)


def bind(source: Path, to: str, *, read_only: bool) -> dict[str, Any]:
    options = ["rbind", "nosuid", "nodev", "ro" if read_only else "rw"]
    return {"destination": to, "type": "bind", "source": str(source), "options": options}


def variables(container: dict[str, Any], index: int | None) -> list[str]:
    found = []
    for variable in container.get("env") or []:
        source, value = variable.get("valueFrom") or {}, variable.get("value")
        if field := source.get("resourceFieldRef"):
            kind, _, name = field["resource"].partition(".")
            value = container["resources"][kind][name]
        elif field := source.get("fieldRef"):
            if "job-completion-index" not in field["fieldPath"] or index is None:
                sys.exit(f"not known here: {field}")
            value = str(index)
        found.append(f"{variable['name']}={value}")
    return found


def mounts(
    pod: dict[str, Any], container: dict[str, Any], given: dict[str, Path], work: Path
) -> list[dict[str, Any]]:
    group, found = pod["securityContext"]["fsGroup"], []
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        name, volume = mount["name"], volumes[mount["name"]]
        kept = given.get(name) or work / "empty" / name
        if "configMap" in volume or "secret" in volume:
            source = work / "projected" / name
            kind = volume.get("configMap") or volume["secret"]
            projected(kept, source, kind.get("defaultMode", 0o644), group)
        else:
            source = kept
            shared(source, group)
        found.append(bind(source, mount["mountPath"], read_only=bool(mount.get("readOnly"))))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="the root of the image")
    parser.add_argument("--bundle", type=Path, required=True, help="an empty directory to write to")
    parser.add_argument("--image", type=Path, required=True, help="what `buildah inspect` says")
    parser.add_argument("--volume", action="append", default=[], metavar="NAME=DIRECTORY")
    parser.add_argument("--mount", action="append", default=[], metavar="PATH=SOURCE")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--index", type=int, help="JOB_COMPLETION_INDEX")
    parser.add_argument("--termination-log", type=Path, help="the file at /dev/termination-log")
    parser.add_argument("--cgroup", help="where the memory limit is set; none if left out")
    parser.add_argument("--only-security", action="store_true")
    parser.add_argument("--shell", help="a command for the image's shell, in place of the program")
    parser.add_argument(
        "--args", nargs=argparse.REMAINDER, help="in place of the pod's; comes last"
    )
    given = parser.parse_args()

    pod = template(given.manifest)
    container, context = pod["containers"][0], pod["securityContext"]
    image = json.loads(given.image.read_text())["OCIv1"]["config"]
    own = container["securityContext"]
    rights: list[str] = [] if own["capabilities"]["drop"] == ["ALL"] else ["CAP_CHOWN"]

    command = container.get("command") or image["Entrypoint"]
    args = container.get("args") or image["Cmd"]
    if given.only_security:
        command, args = image["Entrypoint"], image["Cmd"]
    if given.args:
        args = given.args
    if given.shell:
        command, args = ["/bin/sh", "-euc"], [given.shell]
    env = [*image["Env"], *given.env]
    extra = []
    if not given.only_security:
        # Variables that are given here take the place of the pod's.
        env = [*image["Env"], *variables(container, given.index), *given.env]
        volumes = dict(volume.split("=", 1) for volume in given.volume)
        places = {name: Path(directory) for name, directory in volumes.items()}
        extra = mounts(pod, container, places, given.bundle)
    for mount in given.mount:
        path, source = mount.split("=", 1)
        extra.append(bind(Path(source), path, read_only=False))
    if given.termination_log:
        extra.append(bind(given.termination_log, "/dev/termination-log", read_only=False))

    plain = ["nosuid", "noexec", "nodev"]
    linux: dict[str, Any] = {
        # The network is that of the machine: a server of the test is there.
        "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
        "maskedPaths": MASKED,
        "readonlyPaths": READ_ONLY,
        "seccomp": seccomp(),
    }
    if given.cgroup:
        limit = number(container["resources"]["limits"]["memory"])
        linux["cgroupsPath"] = given.cgroup
        linux["resources"] = {"memory": {"limit": limit}}
    config: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "root": {"path": str(given.root), "readonly": own["readOnlyRootFilesystem"]},
        "process": {
            "user": {
                "uid": context["runAsUser"],
                "gid": context["runAsGroup"],
                "additionalGids": [context["fsGroup"]],
            },
            "args": [*command, *args],
            "env": env,
            "cwd": image["WorkingDir"],
            "noNewPrivileges": not own["allowPrivilegeEscalation"],
            "capabilities": {
                kind: rights for kind in ("bounding", "effective", "permitted", "inheritable")
            },
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": plain},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
            },
            {
                "destination": "/dev/shm",
                "type": "tmpfs",
                "source": "shm",
                "options": [*plain, "mode=1777", "size=65536k"],
            },
            {
                "destination": "/sys/fs/cgroup",
                "type": "cgroup",
                "source": "cgroup",
                "options": [*plain, "relatime", "ro"],
            },
            *extra,
        ],
        "linux": linux,
    }
    if not given.cgroup:
        config["mounts"] = [m for m in config["mounts"] if m["type"] != "cgroup"]
    given.bundle.mkdir(parents=True, exist_ok=True)
    (given.bundle / "config.json").write_text(json.dumps(config, indent=2))


if __name__ == "__main__":
    main()

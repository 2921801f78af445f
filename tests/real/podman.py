"""Debian bookworm's podman (4.3.1), which reads specs up to CDI 0.5.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.real import parts
from tests.real.cell import Cell, Result
from tests.real.images import write_rootfs
from tests.real.scratch import cgroup_parent, scratch

if TYPE_CHECKING:
    from collections.abc import Sequence

# The directories built into it, in order of rising priority; it has no option for others.
_SPEC_DIRS = (Path("/etc/cdi"), Path("/run/cdi"))
# What it writes to whatever its storage is.
_PRIVATE = tuple(map(Path, ("/dev/shm", "/etc/cni", "/run/runc")))
# runc raises both limits to podman's defaults, which needs CAP_SYS_RESOURCE.
_LIMITS = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000")


def run(*, command: Sequence[str], spec_dirs: Sequence[Path], devices: Sequence[str] = ()) -> Result:
    """Run a busybox container to its end.

    Args:
        command: what it runs.
        spec_dirs: one or two CDI directories, in order of rising priority.
        devices: fully qualified CDI names.

    Returns:
        The command's exit code and output. When podman refuses, it is podman's code, 125 or more, and message.
    """
    parts.need("root", "namespaces", "podman", "runc", "busybox")
    with scratch() as directory:
        rootfs, data = directory / "rootfs", directory / "data"
        write_rootfs(rootfs, parts.program("busybox", "busybox"))
        data.mkdir()
        with Cell(private=[data, *_PRIVATE, *_SPEC_DIRS], binds=dict(zip(_SPEC_DIRS, spec_dirs, strict=False))) as cell:
            argv = [
                *_podman(data),
                *("run", "--rm", "--network", "host", "--log-driver", "none", *_LIMITS),
                *("--cgroup-parent", cgroup_parent(directory)),
                *(word for name in devices for word in ("--device", name)),
                *("--rootfs", f"{rootfs}:O"),
                *command,
            ]
            return cell.run(argv, env=_environment(directory / "containers.conf"))


def _environment(config: Path) -> dict[str, str]:
    environment = parts.environment("podman", "runc")
    # conmon calls podman again, and gets no environment but this.
    inherited = [f"{name}={environment[name]}" for name in ("PATH", "LD_LIBRARY_PATH")]
    config.write_text(f"[engine]\nconmon_env_vars = {json.dumps(inherited)}\n")
    return environment | {"CONTAINERS_CONF": str(config)}


def _podman(data: Path) -> list[str | Path]:
    return [
        parts.program("podman", "podman"),
        *("--root", data / "root", "--runroot", data / "run", "--tmpdir", data / "tmp"),
        *("--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none"),
        *("--conmon", parts.program("podman", "conmon"), "--runtime", parts.program("runc", "runc")),
    ]

"""Real containerd daemons, spoken to as the kubelet does.

    with Containerd("2", spec_dirs=[directory]) as daemon:
        result = daemon.run(devices=["acme.com/modem=1"], command=["sh", "-c", "echo $MODEM"])

Each daemon has its own root, state, socket and configuration, and lives in a `Cell`: whatever happens to the
test, the daemon, its containers and their mounts end with it.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import grpc

from tests.real import parts
from tests.real.cell import Cell, Result, inside
from tests.real.cri import CRI, CRIError
from tests.real.cri_pb import cri_pb2 as pb
from tests.real.images import BUSYBOX, write_archive
from tests.real.scratch import cgroup_parent, scratch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from google.protobuf.message import Message

    from tests.real.cri import Answer

Version = Literal["1.6", "1.7", "2"]
VERSIONS: tuple[Version, ...] = ("1.6", "1.7", "2")

# Where containerd leaves things whatever its root and state are.
_PRIVATE = tuple(map(Path, ("/run/containerd", "/run/nri", "/opt/containerd", "/etc/cni")))

# Lowering oom_score_adj, as containerd wants for its pods, needs CAP_SYS_RESOURCE. containerd has an option
# against that (restrict_oom_score_adj), but a test may bring a configuration without it. So its runc is this
# one, which leaves the value as it is.
_RUNC = """#!/bin/sh
for word; do
    [ "$before" = --bundle ] && sed -i -E 's/("oomScoreAdj":)-?[0-9]+/\\1{score}/' "$word/config.json"
    before=$word
done
exec {runc} "$@"
"""

_CONFIG_2 = """version = 2
[plugins."io.containerd.grpc.v1.cri"]
enable_cdi = true
cdi_spec_dirs = {spec_dirs}
"""
_CONFIG_3 = """version = 3
[plugins."io.containerd.cri.v1.runtime"]
enable_cdi = true
cdi_spec_dirs = {spec_dirs}
"""


class ContainerdError(Exception):
    """The daemon did not come up, or ended by itself; the message ends with its log."""


class Containerd:
    """A context in which a daemon runs.

    Args:
        version: "1.6" (Debian bookworm's; knows no CDI), "1.7" (trixie's) or "2" (sid's).
        spec_dirs: CDI directories for the configuration made here; default: the daemon's `spec_dir`.
        config: instead of that configuration, its text, or the path of a file that stays the test's.
        etc: instead of a `--config` argument, a directory that the daemon sees as /etc/containerd.

    Attributes:
        spec_dir: an empty directory, the default for `spec_dirs`.
        socket: where the daemon listens.
        config: the path of its configuration, None with `etc`.
        log: the daemon's own log.
        binary: the daemon's executable (`ctr` lies beside it).
    """

    def __init__(
        self,
        version: Version,
        *,
        spec_dirs: Sequence[Path] | None = None,
        config: str | Path | None = None,
        etc: Path | None = None,
    ) -> None:
        self.version = version
        self._given = spec_dirs, config, etc
        self._stack = ExitStack()
        self._attempts = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        self._client: CRI | None = None
        self._pod: tuple[str, pb.PodSandboxConfig] | None = None

    def __enter__(self) -> Self:
        parts.need("root", "namespaces", "runc", "busybox", f"containerd-{self.version}")
        self.binary = parts.program(f"containerd-{self.version}", "containerd")
        with ExitStack() as stack:
            self._lay_out(stack.enter_context(scratch()))
            self._cell = stack.enter_context(self._make_cell())
            stack.callback(self._close_client)
            self.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._remove_pod()
        finally:
            self._stack.close()

    # The daemon.

    def start(self) -> None:
        """Start the daemon and wait until it serves.

        Raises:
            ContainerdError: it ended, or does not serve within 30 s.
        """
        state = self._data / "state"
        argv: list[str | Path] = [
            self.binary,
            "--root",
            self._data / "root",
            "--state",
            state,
            "--address",
            self.socket,
        ]
        if self.config:
            argv += ["--config", self.config]
        with self.log.open("ab") as log:
            self._process = self._cell.popen(argv, env=self._environment(), stdout=log, stderr=log)
        self._wait_serving()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the daemon; its containers live on, as they do on a node."""
        self._close_client()
        if self._process is not None and self.alive:
            os.kill(inside(self._process), how)
            self._process.wait()
        self._process = None

    def restart(self) -> None:
        """Stop and start the daemon, which makes it read its configuration anew."""
        self.stop()
        self.start()

    @property
    def alive(self) -> bool:
        """Whether the daemon runs; it does not after `stop`, nor when it has ended by itself."""
        return self._process is not None and self._process.poll() is None

    @property
    def cri(self) -> CRI:
        """The connection to it, for calls that are not wrapped here."""
        if self._client is None:
            raise ContainerdError("containerd was stopped")
        return self._client

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        assert self._process is not None
        return inside(self._process)

    def status(self) -> dict[str, Any]:
        """The CRI configuration in force: `enableCDI`, `cdiSpecDirs` and all the rest.

        Raises:
            CRIError: `UNIMPLEMENTED` when the CRI plugin is disabled.
        """
        return self.cri.config()

    def config_dump(self) -> dict[str, Any]:
        """What `containerd config dump` makes of the configuration."""
        option: list[str | Path] = ["--config", self.config] if self.config else []
        return tomllib.loads(self._tool([self.binary, *option, "config", "dump"]))

    def ctr(self, *arguments: str | Path) -> str:
        """The output of this version's `ctr` on this daemon, in the namespace that CRI uses."""
        program = self.binary.with_name("ctr")
        return self._tool([program, "--address", self.socket, "--namespace", "k8s.io", *arguments])

    # Containers.

    def run(
        self,
        *,
        command: Sequence[str],
        devices: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        user: int | None = None,
        seconds: float = 60,
    ) -> Result:
        """Run a container to its end; the arguments are those of `create`.

        Raises:
            CRIError: the runtime refused to create or start it.
        """
        container = self.create(command=command, devices=devices, env=env, user=user)
        try:
            container.start()
            return container.wait(seconds)
        finally:
            container.remove()

    def create(
        self,
        *,
        command: Sequence[str] = ("sleep", "2147483647"),
        devices: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        user: int | None = None,
    ) -> Container:
        """Create a busybox container with the CDI devices of these names, not yet started.

        Raises:
            CRIError: the runtime refused, for example an unresolvable CDI device.
        """
        config = pb.ContainerConfig(
            image=pb.ImageSpec(image=BUSYBOX),
            command=command,
            envs=[pb.KeyValue(key=key, value=value) for key, value in (env or {}).items()],
            CDI_devices=[pb.CDIDevice(name=name) for name in devices],
        )
        if user is not None:
            config.linux.security_context.run_as_user.value = user
        container = Container(self, config)
        container.create()
        return container

    def pod(self) -> tuple[str, pb.PodSandboxConfig]:
        """The pod of all containers here, made when first asked for: its id, and its configuration."""
        if self._pod is None:
            self._import_images()
            config = self._pod_config()
            answer = self.cri.call("RunPodSandbox", pb.RunPodSandboxRequest(config=config), pb.RunPodSandboxResponse)
            self._pod = answer.pod_sandbox_id, config
        return self._pod

    def next_attempt(self) -> int:
        """A number that no container of the pod has had yet."""
        return next(self._attempts)

    @property
    def container_logs(self) -> Path:
        """The directory of the containers' logs."""
        return self._scratch / "logs"

    # How it is made.

    def _lay_out(self, directory: Path) -> None:
        spec_dirs, config, etc = self._given
        self._scratch, self._data = directory, directory / "data"
        self.socket, self.log, self.spec_dir = directory / "sock", directory / "log", directory / "cdi"
        for made in (self._data, self.spec_dir, self.container_logs, directory / "bin"):
            made.mkdir()
        if config is None:
            config = default_config(self.version, [self.spec_dir] if spec_dirs is None else spec_dirs)
        if isinstance(config, str):
            (directory / "config.toml").write_text(config)
            config = directory / "config.toml"
        self.config = None if etc else config
        runc = directory / "bin" / "runc"
        score = Path("/proc/self/oom_score_adj").read_text().strip()
        runc.write_text(_RUNC.format(runc=parts.program("runc", "runc"), score=score))
        runc.chmod(0o755)

    def _make_cell(self) -> Cell:
        etc = self._given[2]
        # The data are on a tmpfs: overlayfs, containerd's default, cannot lie on another overlay, such as
        # the disk of a container.
        return Cell(private=[self._data, *_PRIVATE], binds={Path("/etc/containerd"): etc} if etc else {})

    def _environment(self) -> dict[str, str]:
        environment = parts.environment(f"containerd-{self.version}", "runc")
        return {**environment, "PATH": f"{self._scratch / 'bin'}:{environment['PATH']}"}

    def _tool(self, argv: Sequence[str | Path]) -> str:
        process = self._cell.popen(argv, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, errors = process.communicate()
        if process.returncode:
            raise ContainerdError(f"{argv[0]}: {errors.decode()}")
        return output.decode()

    def _wait_serving(self, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        try:
            while not _accepts(self.socket):
                self._fail_if_ended(end)
                time.sleep(0.01)
            self._client = CRI(self.socket)
            self._client.wait_ready(end - time.monotonic())
        except CRIError as error:
            # A configuration may have disabled the plugin.
            if error.code is not grpc.StatusCode.UNIMPLEMENTED:
                raise ContainerdError(f"{error}\n{self._last_words()}") from None

    def _fail_if_ended(self, deadline: float) -> None:
        if not self.alive:
            raise ContainerdError(f"containerd ended:\n{self._last_words()}")
        if time.monotonic() > deadline:
            raise ContainerdError(f"containerd does not serve:\n{self._last_words()}")

    def _last_words(self) -> str:
        return self.log.read_text()[-4000:]

    def _import_images(self) -> None:
        pause = self._pause_image()
        archive = self._scratch / "images.tar"
        write_archive(archive, parts.program("busybox", "busybox"), pause=[pause])
        self.ctr("images", "import", archive)
        end = time.monotonic() + 10
        while not all(map(self.cri.has_image, (BUSYBOX, pause))):
            if time.monotonic() > end:
                raise ContainerdError("the imported images do not show in CRI")
            time.sleep(0.02)

    def _pause_image(self) -> str:
        """The name of the image that a pod's sandbox runs, whatever the configuration says."""
        config = self.status()
        if "sandboxImage" in config:
            return str(config["sandboxImage"])
        images = self.config_dump()["plugins"]["io.containerd.cri.v1.images"]
        return str(images["pinned_images"]["sandbox"])

    def _pod_config(self) -> pb.PodSandboxConfig:
        """A pod in the machine's own network, for which no network plugin is asked."""
        config = pb.PodSandboxConfig(
            metadata=pb.PodSandboxMetadata(name="pod", uid=self._scratch.name, namespace="tests"),
            log_directory=str(self.container_logs),
        )
        config.linux.cgroup_parent = cgroup_parent(self._scratch)
        config.linux.security_context.namespace_options.CopyFrom(namespaces())
        return config

    def _remove_pod(self) -> None:
        """Ask the runtime to clean up; the cell would do without, but control groups go sooner so."""
        if self._pod is None or not self.alive:
            return
        identity = {"pod_sandbox_id": self._pod[0]}
        self._pod = None
        self.cri.call("StopPodSandbox", pb.StopPodSandboxRequest(**identity), pb.StopPodSandboxResponse)
        self.cri.call("RemovePodSandbox", pb.RemovePodSandboxRequest(**identity), pb.RemovePodSandboxResponse)

    def _close_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class Container:
    """A container to be started, stopped and started anew, as the kubelet does with an `Allocate` answer."""

    def __init__(self, daemon: Containerd, config: pb.ContainerConfig) -> None:
        self._daemon, self._config = daemon, config
        self.id = ""

    def create(self) -> None:
        """Ask the runtime for a new container of this configuration."""
        pod, pod_config = self._daemon.pod()
        attempt = self._daemon.next_attempt()
        self._config.metadata.CopyFrom(pb.ContainerMetadata(name="container", attempt=attempt))
        self._config.log_path = f"{attempt}.log"
        self._config.linux.security_context.namespace_options.CopyFrom(namespaces())
        request = pb.CreateContainerRequest(pod_sandbox_id=pod, config=self._config, sandbox_config=pod_config)
        self.id = self._call("CreateContainer", request, pb.CreateContainerResponse).container_id

    def start(self) -> None:
        """Start it; it must be newly created."""
        self._call("StartContainer", pb.StartContainerRequest(container_id=self.id), pb.StartContainerResponse)

    def stop(self) -> None:
        """Kill it."""
        request = pb.StopContainerRequest(container_id=self.id, timeout=0)
        self._call("StopContainer", request, pb.StopContainerResponse)

    def remove(self) -> None:
        """Remove it, killed if need be."""
        self._call("RemoveContainer", pb.RemoveContainerRequest(container_id=self.id), pb.RemoveContainerResponse)

    def restart(self) -> None:
        """Start it as the kubelet does: as a new container of the same configuration, CDI names included.

        Raises:
            CRIError: the runtime refused the new one; the old one is gone.
        """
        self.remove()
        self.create()
        self.start()

    def status(self) -> pb.ContainerStatus:
        """The runtime's word on it."""
        request = pb.ContainerStatusRequest(container_id=self.id)
        return self._call("ContainerStatus", request, pb.ContainerStatusResponse).status

    def wait(self, seconds: float = 60) -> Result:
        """Wait for its end.

        Raises:
            TimeoutError: it still runs after `seconds`.
        """
        end = time.monotonic() + seconds
        while (status := self.status()).state != pb.CONTAINER_EXITED:
            if time.monotonic() > end:
                raise TimeoutError(f"the container runs for more than {seconds} s; its output:\n{self.output()}")
            time.sleep(0.01)
        return Result(status.exit_code, self.output())

    def execute(self, *command: str, seconds: int = 30) -> Result:
        """Run a command in it while it runs."""
        request = pb.ExecSyncRequest(container_id=self.id, cmd=command, timeout=seconds)
        answer = self._call("ExecSync", request, pb.ExecSyncResponse)
        return Result(answer.exit_code, (answer.stdout + answer.stderr).decode())

    def output(self) -> str:
        """What it has written so far, both outputs in one."""
        lines = (self._daemon.container_logs / self._config.log_path).read_text().splitlines()
        return "".join(_log_text(line) for line in lines)

    def _call(self, method: str, request: Message, answer: type[Answer]) -> Answer:
        return self._daemon.cri.call(method, request, answer)


def _accepts(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(address)) == 0


def default_config(version: Version, spec_dirs: Sequence[Path]) -> str:
    """A minimal configuration of that version with CDI on for these directories (1.6 ignores that)."""
    template = _CONFIG_3 if version == "2" else _CONFIG_2
    return template.format(spec_dirs=json.dumps([str(path) for path in spec_dirs]))


def namespaces() -> pb.NamespaceOption:
    """The machine's network, everything else the container's own."""
    return pb.NamespaceOption(network=pb.NODE, pid=pb.CONTAINER, ipc=pb.POD)


def _log_text(line: str) -> str:
    """A line of CRI's log format: time, stream, F(ull) or P(artial), text."""
    _, _, tag, text = line.split(" ", 3)
    return text + ("\n" if tag == "F" else "")

"""A node to try things on: a real kubelet, a containerd and the agent, in a namespace of their own.

Inside it everything lies where it lies on any node (/etc/cdi, /var/lib/kubelet, ...). Outside, that is a tree of files
below one directory, and nothing of the machine is touched: whatever happens to this process, the namespace's processes
and mounts end with it.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import stat
import sys
import time
import tomllib
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from tests.real import parts
from tests.real.cell import Cell, inside
from tests.real.cri import CRI, CRIError
from tests.real.devices import make_node
from tests.real.images import write_archive
from tests.real.scratch import cgroup_parent, scratch

if TYPE_CHECKING:
    import signal
    import subprocess
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

CONTRIB = parts.REPOSITORY / "contrib" / "kubelet"
TREE = Path("run/kubelet")
MANIFESTS = "etc/kubernetes/manifests"
CONTAINERD_SOCKET = "run/containerd/containerd.sock"
PLUGINS = "var/lib/kubelet/device-plugins"

PAUSE = "localhost/pause:test"
AGENT: tuple[str | Path, ...] = (
    Path(sys.executable).with_name("cdi-sync"),
    *("--config", "/etc/cdi-sync/config.toml"),
)

# What each program finds at its usual place is the tree's.
_PLACES = (
    *("etc/cdi", "etc/cdi-sync", "etc/cni", "etc/containerd", "etc/kubernetes"),
    *("run/cdi", "run/cdi-sync", "run/containerd", "run/stand-in"),
    *("var/lib/cdi-sync", "var/lib/kubelet", "var/log"),
)
# containerd's snapshots are layers of overlayfs, which cannot lie on another overlay, such as a container's disk.
_PRIVATE = tuple(map(Path, ("/run/nri", "/opt/containerd", "/var/lib/containerd")))
# The kubelet sets these to its liking. In the namespace a file lies over each, so that the machine keeps its own.
_SYSCTLS = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)
_NULL = 1, 3


class NodeError(Exception):
    """The node did not come up, or a part of it ended; the message ends with that part's last words."""


class Node:
    """A context in which the node runs.

    Args:
        kubelet: the kubelet's executable.
        containerd: containerd's; its shim and `ctr` lie beside it.
        tree: the directory for all files; what an earlier node left in it is removed.
        agent: the agent's command line.
        private: directories that are empty for all of them.
    """

    def __init__(
        self,
        kubelet: Path,
        containerd: Path,
        *,
        tree: Path = TREE,
        agent: Sequence[str | Path] = AGENT,
        private: Sequence[Path] = (),
    ) -> None:
        self._kubelet, self._containerd, self._agent = kubelet, containerd, agent
        self._tree, self._private = tree, (*_PRIVATE, *private)
        self._stack = ExitStack()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, Sequence[str | Path]] = {}

    def __enter__(self) -> Self:
        parts.need("root", "namespaces", "busybox")
        with ExitStack() as stack:
            _lay_out(self._tree, stack)
            self._scratch = stack.enter_context(scratch())
            self._cell = stack.enter_context(Cell(private=self._private, binds=_binds(self._tree)))
            self._start_containerd()
            self._start_kubelet()
            self._start("cdi-sync", self._agent)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def wait(self, what: str, check: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until `check` holds.

        Raises:
            NodeError: a part of the node has ended, or time is up.
        """
        end = time.monotonic() + seconds
        while not check():
            self.fail_if_ended()
            if time.monotonic() > end:
                raise NodeError(f"waited {seconds:.0f} s in vain: {what}; the logs are in {self._tree}/var/log")
            time.sleep(0.05)

    def restart(self, name: str, how: signal.Signals) -> None:
        """End a part, "kubelet" or "cdi-sync", with this signal, and start it again as it was."""
        process = self._processes.pop(name)
        os.kill(inside(process), how)
        process.wait()
        self._start(name, self._commands[name])

    def fail_if_ended(self) -> None:
        """Return if all parts run.

        Raises:
            NodeError: one does not, and these were its last words.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                words = self._log(name).read_text(errors="replace")[-2000:]
                raise NodeError(f"{name} has ended with code {process.returncode}:\n{words}")

    def _start_containerd(self) -> None:
        self._start("containerd", [self._containerd])
        socket = self._tree / CONTAINERD_SOCKET
        self.wait("containerd listens", socket.is_socket)
        cri = CRI(socket)
        try:
            cri.wait_ready(30)
            if not cri.config().get("enableCDI"):
                raise NodeError(f"{self._containerd} knows no CDI; name one of version 1.7 or newer: CONTAINERD=PATH")
        except CRIError as error:
            raise NodeError(f"containerd does not answer: {error}") from None
        finally:
            cri.close()
        self._import_images()
        self._write_ctr()

    def _import_images(self) -> None:
        archive = self._scratch / "images.tar"
        write_archive(archive, parts.program("busybox", "busybox"), pause=[PAUSE])
        ctr = self._containerd.with_name("ctr")
        done = self._cell.run([ctr, "--namespace", "k8s.io", "images", "import", archive], env=self._environment())
        if done.exit_code:
            raise NodeError(f"ctr cannot import the images: {done.output}")

    def _write_ctr(self) -> None:
        """A `ctr` for this containerd, in the tree. It takes a socket by its absolute path, which must be short."""
        program = shlex.quote(str(self._containerd.with_name("ctr")))
        script = self._tree / "ctr"
        command = f'exec {program} -a /proc/self/cwd/{CONTAINERD_SOCKET} -n k8s.io "$@"'
        script.write_text(f'#!/bin/sh\ncd "${{0%/*}}" && {command}\n')
        script.chmod(0o755)

    def _start_kubelet(self) -> None:
        group = cgroup_parent(self._scratch)
        _make_cgroup(group)
        text = (CONTRIB / "kubelet.yaml").read_text()
        (self._tree / "etc/kubernetes/kubelet.yaml").write_text(f"{text}\ncgroupRoot: {group}\n")
        options = ("--config", "/etc/kubernetes/kubelet.yaml", "--hostname-override=localhost", "-v=2")
        self._start("kubelet", [self._kubelet, *options])
        self.wait("the kubelet listens", (self._tree / PLUGINS / "kubelet.sock").is_socket)

    def _start(self, name: str, argv: Sequence[str | Path]) -> None:
        self._commands[name] = argv
        with self._log(name).open("ab") as log:
            self._processes[name] = self._cell.popen(argv, env=self._environment(), stdout=log, stderr=log)

    def _log(self, name: str) -> Path:
        return self._tree / "var/log" / f"{name}.log"

    def _environment(self) -> Mapping[str, str]:
        # A containerd and a runc of the user's own need nothing of what was unpacked for the tests.
        fetched = self._containerd.is_relative_to(parts.cache())
        names = [self._containerd.relative_to(parts.cache()).parts[0]] if fetched else []
        names += [] if shutil.which("runc") else ["runc"]
        environment = parts.environment(*names)
        return {**environment, "PATH": f"{self._containerd.parent}:{environment['PATH']}"}


def find_containerd(named: str | None) -> Path:
    """The containerd that was named, or the one in PATH, or the newest that was unpacked for the tests.

    Raises:
        MissingPartError: there is none of these.
    """
    found = named or shutil.which("containerd")
    return Path(found).absolute() if found else parts.program("containerd-2", "containerd")


def resources() -> list[str]:
    """The resources that the sample configuration offers."""
    classes = tomllib.loads((CONTRIB / "config.toml").read_text())["class"]
    return [one["kubernetes"]["resource"] for one in classes]


def deploy(pod: Path, tree: Path) -> None:
    """Give the kubelet a static pod; it must not meet half a file."""
    copy = shutil.copyfile(pod, tree / MANIFESTS / f".{pod.name}")
    copy.rename(tree / MANIFESTS / pod.name)


def is_running(tree: Path) -> bool:
    """Whether a node is at work in this tree."""
    try:
        with (tree / "lock").open() as lock:
            return not _locked(lock)
    except FileNotFoundError:
        return False


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lay_out(tree: Path, stack: ExitStack) -> None:
    """Make the tree anew, and hold it until the stack unwinds.

    Raises:
        NodeError: another node is at work in it.
    """
    tree.mkdir(parents=True, exist_ok=True)
    lock = stack.enter_context((tree / "lock").open("w"))
    if not _locked(lock):
        raise NodeError(f"another one runs in {tree}; end it with Ctrl-C there")
    for place in ("etc", "run", "var", "proc"):
        shutil.rmtree(tree / place, ignore_errors=True)
    for place in (*_PLACES, MANIFESTS, "proc"):
        (tree / place).mkdir(parents=True, exist_ok=True)
    for name in _SYSCTLS:
        shutil.copyfile(f"/proc/sys/{name}", _sysctl(tree, name))
    # Copies are root's own, which the agent asks of its configuration; a checkout seldom is.
    shutil.copyfile(CONTRIB / "config.toml", tree / "etc/cdi-sync/config.toml")
    shutil.copyfile(CONTRIB / "containerd.toml", tree / "etc/containerd/config.toml")
    for name in ("null0", "null1", *(() if os.path.exists("/dev/kvm") else ("kvm",))):
        make_node(tree / "run/stand-in" / name, *_NULL, kind=stat.S_IFCHR)


def _binds(tree: Path) -> dict[Path, Path]:
    tree = tree.absolute()
    return {
        **{Path("/", place): tree / place for place in _PLACES},
        **{Path("/proc/sys", name): _sysctl(tree, name) for name in _SYSCTLS},
    }


def _sysctl(tree: Path, name: str) -> Path:
    return tree / "proc" / name.replace("/", ".")


def _make_cgroup(group: str) -> None:
    """Make the control group of all pods, which the kubelet asks to be there; it goes with the scratch directory."""
    top = Path("/sys/fs/cgroup")
    unified = top / "cgroup.controllers"
    if unified.exists():
        for controller in unified.read_text().split():
            with suppress(OSError):  # what is missing in the end, the kubelet tells
                (top / "cgroup.subtree_control").write_text(f"+{controller}")
        (top / group.lstrip("/")).mkdir()
        return
    for hierarchy in {path.resolve() for path in top.iterdir() if path.is_dir()}:
        (hierarchy / group.lstrip("/")).mkdir()

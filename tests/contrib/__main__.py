"""`make kubelet` and `make deploy`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.contrib import kubelet
from tests.contrib.node import CONTRIB, TREE, Node, NodeError, deploy, find_containerd, is_running, resources
from tests.real.parts import MissingPartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_NEXT = f"""In another terminal:
  {"make deploy":<46} a pod that asks for one device of each
  {f"rm {TREE}/run/stand-in/null0":<46} pulls a device
  {f"mknod {TREE}/run/stand-in/null0 c 1 3":<46} and plugs it in again
What changes is told here; the logs are in {TREE}/var/log, the specs in {TREE}/etc/cdi. Ctrl-C ends it all.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "deploy":
            _deploy(options.pod)
        else:
            _kubelet(options.kubelet, options.containerd)
    except (NodeError, MissingPartError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        _say("ended")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.contrib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    node = commands.add_parser("kubelet", help="start a node, until Ctrl-C")
    node.add_argument("kubelet", help="the kubelet's executable")
    node.add_argument("--containerd", help="containerd's executable")
    pod = commands.add_parser("deploy", help="put a static pod on it, and show what it got")
    pod.add_argument("pod", type=Path, nargs="?", default=CONTRIB / "pod.yaml")
    return parser


def _kubelet(program: str, containerd: str | None) -> None:
    if not (os.path.isfile(program) and os.access(program, os.X_OK)):
        raise NodeError(f"'{program}' is no program; name your own kubelet: make kubelet KUBELET=/path/to/kubelet")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was made is unmade
    with Node(Path(program).absolute(), find_containerd(containerd)) as node:
        _say("containerd, the kubelet and cdi-sync run")
        wanted = resources()
        node.wait(f"the resources {' and '.join(wanted)} are registered", lambda: all(map(_offered, wanted)))
        seen: set[str] = set()
        _tell_changes(seen)
        sys.stdout.write(_NEXT)
        while True:
            time.sleep(0.2)
            node.fail_if_ended()
            _tell_changes(seen)


def _offered(resource: str) -> bool:
    return bool(kubelet.allocatable(TREE).get(resource))


def _tell_changes(seen: set[str]) -> None:
    """Say what was not so when last looked, and remember what is."""
    now = list(_state())
    for line in now:
        if line not in seen:
            _say(line)
    seen.clear()
    seen.update(now)


def _state() -> Iterator[str]:
    for resource, ids in kubelet.allocatable(TREE).items():
        yield f"{resource}: {len(ids)} allocatable{':' if ids else ''} {' '.join(ids)}".rstrip()
    yield from map(str, kubelet.containers())


def _deploy(pod: Path) -> None:
    if not is_running(TREE):
        raise NodeError("no node runs here; start one in another terminal: make kubelet KUBELET=/path/to/kubelet")
    # For a resource that was never registered, the kubelet starts a static pod without a device.
    _until(lambda: all(map(_offered, resources())), lambda: "the resources are not registered")
    deploy(pod, TREE)
    _until(_all_run, lambda: "; ".join(map(str, kubelet.containers())) or "the kubelet shows no pod")
    for container in kubelet.containers():
        _show(container)


def _all_run() -> bool:
    found = kubelet.containers()
    return bool(found) and all(one.state == "running" for one in found)


def _until(check: Callable[[], bool], complaint: Callable[[], str], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise NodeError(f"{complaint()}, after {seconds:.0f} s")
        time.sleep(0.1)


def _show(container: kubelet.Container) -> None:
    injected = kubelet.injection(TREE, container.id)
    health = [f"{name} {key}: {word}" for name, ids in container.health.items() for key, word in ids.items()]
    rows = {
        "registered": [f"{name}, {len(ids)} allocatable" for name, ids in kubelet.allocatable(TREE).items()],
        "pod": [f"{container.pod}, container {container.name}: {container.state}"],
        "allocated": health,
        "CDI devices": injected.names,
        "its nodes": injected.nodes,
    }
    for title, lines in rows.items():
        for heading, line in zip([title, *[""] * len(lines)], lines, strict=False):
            sys.stdout.write(f"{heading:<12} {line}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""What is done to an agent: each fault is begun, lasts for a while, and is undone. `FAULTS` is the table."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.agent.running import PROGRAM
from tests.campaign.service import HUNG
from tests.campaign.site import OTHERS
from tests.real import parts

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.campaign.service import Service
    from tests.kubelet.kubelet import Kubelet

_MANY = 9000  # pairs of events: more than inotify's queue holds (fs.inotify.max_queued_events)


class FaultError(Exception):
    """The agent answered a fault otherwise than it must."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Whom a fault is done to, and the chance that decides its details; ``udevd`` is its process, 0 without one."""

    service: Service
    kubelet: Kubelet
    rng: random.Random
    udevd: int


class Fault(NamedTuple):
    """A fault; of those ``about`` one thing an agent has one at a time. ``restarts``: it starts the agent anew."""

    begin: Callable[[Trial], AbstractContextManager[None]]
    about: str
    restarts: bool = False
    may_end: tuple[int, ...] = ()
    """Exit codes with which the agent may end meanwhile, as it says in its documentation."""


@contextmanager
def hang_ups(trial: Trial) -> Iterator[None]:
    for _ in range(trial.rng.randrange(1, 30)):
        if trial.service.listens:  # systemd reloads only what has said that it is ready
            trial.service.signal(signal.SIGHUP)
        time.sleep(trial.rng.choice((0.0, 0.002)))
    yield


@contextmanager
def frozen_agent(trial: Trial) -> Iterator[None]:
    trial.service.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        trial.service.signal(signal.SIGCONT)


@contextmanager
def other_configuration(trial: Trial) -> Iterator[None]:
    site, rng = trial.service.site, trial.rng
    for _ in range(rng.randrange(1, 4)):
        site.configure(f'[[class]]\nkind = "campaign.test/more{rng.randrange(3)}"\nname = "{{sysname}}"\n'
                       f'[[class.select]]\ndevnode = ["/dev/null", "{site.shared.nodes}/n1*"]\n')  # fmt: skip
        time.sleep(rng.choice((0.0, 0.05, 0.2)))
    try:
        yield
    finally:
        site.configure()


@contextmanager
def other_kubernetes(trial: Trial) -> Iterator[None]:
    """Have the kubelet find the sockets by itself, pods share a device, and nodes be opened, in any combination."""
    site, rng = trial.service.site, trial.rng
    for _ in range(rng.randrange(1, 4)):
        site.configure(
            kubelet=rng.choice(('registration = "plugin-watcher"', 'registration = "register"', 'tombstones = "0s"')),
            kubernetes=rng.choice(("", "shares = 3", 'health = "open"', 'resource = "campaign.test/other"')),
        )
        time.sleep(rng.choice((0.0, 0.05, 0.3)))
    try:
        yield
    finally:
        site.configure()


@contextmanager
def no_class_at_all(trial: Trial) -> Iterator[None]:
    site = trial.service.site
    site.config.write_text("version = 1\n")
    try:
        yield
    finally:
        site.configure()


@contextmanager
def broken_configuration(trial: Trial) -> Iterator[None]:
    site, rng = trial.service.site, trial.rng
    text = site.text().encode()
    cut = rng.randrange(len(text))
    broken = (
        text + b"[[class]]\n",
        text + text[text.index(b"[[class]]") :],
        text.replace(b'kind = "campaign.test/loop"', b'knid = "campaign.test/loop"'),
        text[:cut] + b"\xff" + text[cut:],
        text + b"= = =\n",
        b"[" * 100_000,
        text + b'[class.containerEdits]\nenv = ["no equals sign"]\n',
        b"#" * (5 << 20),
    )
    site.config.write_bytes(rng.choice(broken))
    try:
        yield
    finally:
        site.configure()


@contextmanager
def configuration_that_is_no_file(trial: Trial) -> Iterator[None]:
    site = trial.service.site
    site.config.unlink()
    match trial.rng.randrange(4):
        case 0:
            site.config.mkdir()
        case 1:
            site.config.symlink_to(site.config)
        case 2:
            os.mkfifo(site.config)
        case _:
            pass
    try:
        yield
    finally:
        site.configure()


@contextmanager
def configuration_open_to_others(trial: Trial) -> Iterator[None]:
    place = trial.rng.choice((trial.service.site.config, trial.service.site.etc))
    mode = place.stat().st_mode
    place.chmod(0o666 if place.is_file() else 0o777)
    try:
        yield
    finally:
        place.chmod(mode)
        trial.service.site.configure()


@contextmanager
def slow_editor(trial: Trial) -> Iterator[None]:
    site = trial.service.site
    text = site.text()
    with site.config.open("w") as file:
        for start in range(0, len(text), 200):
            file.write(text[start : start + 200])
            file.flush()
            time.sleep(0.01)
    yield


@contextmanager
def edited_specs(trial: Trial) -> Iterator[None]:
    site, rng = trial.service.site, trial.rng
    for path in site.specs():
        with suppress(OSError):  # the agent may have replaced or removed it just now
            site.spoil(path)
            _EDITS[rng.randrange(len(_EDITS))](path)
    yield


def _append(path: Path) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as file:
        file.write(b"\n# by hand\n")


def _overwrite(path: Path) -> None:
    with open(os.open(path, os.O_WRONLY), "wb") as file:
        file.write(b'{"cdiVersion": "0.3.0", ')


_EDITS: tuple[Callable[[Path], object], ...] = (
    _append,
    _overwrite,
    lambda path: os.truncate(path, 0),
    lambda path: os.truncate(path, path.stat().st_size // 2),
    lambda path: path.chmod(0o600),
    lambda path: os.utime(path, (0, 0)),
)


@contextmanager
def replaced_specs(trial: Trial) -> Iterator[None]:
    site, rng = trial.service.site, trial.rng
    kind = rng.choice(("loop", "zram", "all", "node", "never"))
    path = site.spec_dir / f"cdi-sync+campaign.test+{kind}.json"
    new = site.spec_dir / "other"
    with suppress(OSError):  # the directory may be gone or full
        new.write_text(rng.choice(("", "{}", '{"kind": "x"}', "null", "[" * 100_000, "\0" * 5000)))
        site.spoil(new)
        new.rename(path)
    with suppress(OSError):
        new.unlink()
    yield


@contextmanager
def deleted_specs(trial: Trial) -> Iterator[None]:
    for path in trial.service.site.specs():
        if trial.rng.random() < 0.7:
            path.unlink(missing_ok=True)
    yield


@contextmanager
def links_for_specs(trial: Trial) -> Iterator[None]:
    """Put links, of which one leads to a file of others, where specs are."""
    site = trial.service.site
    for path in site.specs():
        new = path.with_name("link")
        with suppress(OSError):
            new.symlink_to(trial.rng.choice(("vendor.json", "/dev/null", "nowhere", path.name)))
            new.rename(path)
    yield


@contextmanager
def directory_for_a_spec(trial: Trial) -> Iterator[None]:
    path = trial.service.site.spec_dir / "cdi-sync+campaign.test+loop.json"
    with suppress(OSError):
        path.unlink(missing_ok=True)
        path.mkdir()
    try:
        yield
    finally:
        with suppress(OSError):
            path.rmdir()


@contextmanager
def lock_removed(trial: Trial) -> Iterator[None]:
    with suppress(OSError):
        (trial.service.site.spec_dir / ".cdi-sync.lock").unlink()
    yield


@contextmanager
def spec_directory_removed(trial: Trial) -> Iterator[None]:
    trial.service.site.remove_spec_dir()
    try:
        yield
    finally:
        trial.service.site.remove_spec_dir()
        trial.service.site.make_spec_dir()


@contextmanager
def spec_directory_replaced(trial: Trial) -> Iterator[None]:
    site = trial.service.site
    old = site.disk / "old"
    if site.spec_dir.is_dir() and not old.exists():
        site.spec_dir.rename(old)
        site.make_spec_dir()
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", old], check=True)


@contextmanager
def file_for_the_spec_directory(trial: Trial) -> Iterator[None]:
    site = trial.service.site
    site.remove_spec_dir()
    with suppress(OSError):
        site.spec_dir.write_text("")
    try:
        yield
    finally:
        with suppress(OSError):
            site.spec_dir.unlink()
        site.make_spec_dir()


@contextmanager
def mounted_over(trial: Trial) -> Iterator[None]:
    site = trial.service.site
    site.spec_dir.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "campaign-over", site.spec_dir], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", site.spec_dir], check=True)


@contextmanager
def full_disk(trial: Trial) -> Iterator[None]:
    filler = trial.service.site.disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    try:
        yield
    finally:
        filler.unlink(missing_ok=True)


@contextmanager
def read_only_disk(trial: Trial) -> Iterator[None]:
    disk = trial.service.site.disk
    done = subprocess.run(["mount", "-o", "remount,ro", disk], check=False, capture_output=True)
    try:
        yield
    finally:
        if done.returncode == 0:  # it fails while a spec is being written
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


@contextmanager
def overflowing_queue(trial: Trial) -> Iterator[None]:
    """Let more happen in a watched directory than inotify can remember while the agent does not listen."""
    trial.service.signal(signal.SIGSTOP)
    try:
        path = trial.service.site.shared.nodes / "passing"
        for _ in range(_MANY):
            path.touch()
            path.unlink()
        yield
    finally:
        trial.service.signal(signal.SIGCONT)


@contextmanager
def few_descriptors(trial: Trial) -> Iterator[None]:
    pid = _settled(trial.service)
    with _limited(pid, resource.RLIMIT_NOFILE, trial.rng.choice((3, 8, 12, 16, 20))):
        yield


@contextmanager
def little_memory(trial: Trial) -> Iterator[None]:
    """Let it have no more memory than it has.

    Where Python cannot begin a thread for it, it waits for ever; where its stack cannot grow, the kernel ends it with
    SIGSEGV (setrlimit(2)).
    """
    pid = _settled(trial.service)
    with _limited(pid, resource.RLIMIT_AS, _address_space(pid) + trial.rng.choice((0, 1 << 16, 1 << 20))):
        yield


def _settled(service: Service) -> int:
    """Return the agent's process if it has its programs in memory, else 0."""
    return service.pid if service.listens else 0


@contextmanager
def _limited(pid: int, limit: int, to: int) -> Iterator[None]:
    """Lower a soft limit of a process that may be gone at any moment; 0 is none."""
    hard = 0
    with suppress(OSError):
        if pid:
            soft, hard = resource.prlimit(pid, limit)
            resource.prlimit(pid, limit, (to, hard))
    try:
        yield
    finally:
        with suppress(OSError):
            if hard:
                resource.prlimit(pid, limit, (soft, hard))


def _address_space(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


@contextmanager
def no_watches(trial: Trial) -> Iterator[None]:
    """Have an agent that may have no inotify watch, or no inotify instance."""
    limit = trial.rng.choice(("max_inotify_instances", "max_inotify_watches"))
    command = f'echo {trial.rng.randrange(3)} >/proc/sys/user/{limit} && exec "$@"'
    with _started_anew(trial.service, "unshare", "--user", "--map-root-user", "sh", "-c", command, "sh"):
        yield


@contextmanager
def stepping_clock(trial: Trial) -> Iterator[None]:
    """Have an agent whose clock, and no other's, is set forth and back."""
    library = next(parts.tree("faketime").glob("usr/lib/*/faketime/libfaketimeMT.so.1"))
    clock = trial.service.site.etc.parent / "clock"
    clock.write_text("+0\n")
    variables = (f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={clock}", "FAKETIME_NO_CACHE=1",
                 "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1")  # fmt: skip
    with _started_anew(trial.service, "env", *variables):
        for _ in range(trial.rng.randrange(1, 5)):
            clock.write_text(f"{trial.rng.choice(('+5', '-5', '+3600', '-86400', '+0'))}\n")
            time.sleep(trial.rng.uniform(0, 0.3))
        yield


@contextmanager
def _started_anew(service: Service, *under: str | Path) -> Iterator[None]:
    service.kill()
    service.under = under
    service.start()
    try:
        yield
    finally:
        service.kill()
        service.under = ()
        service.start()


@contextmanager
def away(trial: Trial) -> Iterator[None]:
    """Have no agent for a while."""
    trial.service.wanted = False
    trial.service.kill()
    try:
        yield
    finally:
        trial.service.wanted = True


@contextmanager
def stopped_and_started(trial: Trial) -> Iterator[None]:
    wrong = trial.service.stop()
    yield
    if wrong:
        raise FaultError(wrong)


@contextmanager
def killed_between_write_and_rename(trial: Trial) -> Iterator[None]:
    """Leave what a kill at the worst moment leaves."""
    trial.service.kill()
    with suppress(OSError):
        (trial.service.site.spec_dir / ".cdi-sync+campaign.test+loop.json.tmp").write_text('{"cdi')
    yield


@contextmanager
def second_agent(trial: Trial) -> Iterator[None]:
    """Start another agent on the same directory; where the first holds its lock, it must refuse and say so."""
    site, pid = trial.service.site, trial.service.pid
    argv: list[str | Path] = [PROGRAM, "--config", site.config, "--spec-dir", site.spec_dir, "--state-dir", site.state]
    held = _holder(site.spec_dir) == pid != 0
    second = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield
        # One that started while the first was away may be in its right; it must only end when it is asked to.
        time.sleep(0 if second.poll() is not None or not held else 1)
        second.terminate()
        _, words = second.communicate(timeout=20)
        if held and trial.service.pid == pid and b"Traceback" in words:
            raise FaultError(f"a second agent said {words.decode()}")
    finally:
        second.kill()
        second.wait()


def _holder(spec_dir: Path) -> int:
    try:
        return int((spec_dir / ".cdi-sync.lock").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0


@contextmanager
def name_taken_by_others(trial: Trial) -> Iterator[None]:
    """Have a spec of others that defines a device of ours for a while: the agent's own must yield."""
    site = trial.service.site
    name = str(site.shared.backing / f"d{trial.rng.randrange(6)}").strip("/").replace("/", "-")
    path = site.spec_dir / "taken.json"
    with suppress(OSError):
        path.write_text(f'{{"cdiVersion": "0.6.0", "kind": "campaign.test/loop", "devices": [{{"name": "{name}", '
                        '"containerEdits": {"env": ["A=1"]}}]}\n')  # fmt: skip
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def others_rewritten(trial: Trial) -> Iterator[None]:
    """Let others rewrite their own files, again and again."""
    site = trial.service.site
    for name, text in OTHERS.items():
        with suppress(OSError):
            (site.spec_dir / name).write_text(text)
    yield


@contextmanager
def frozen_udevd(trial: Trial) -> Iterator[None]:
    parent = int(Path(f"/proc/{trial.udevd}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(trial.udevd, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(trial.udevd, signal.SIGCONT)
        os.kill(parent, signal.SIGCONT)


@contextmanager
def kubelet_restarts(trial: Trial) -> Iterator[None]:
    for _ in range(trial.rng.randrange(1, 6)):
        trial.kubelet.restart(away=trial.rng.choice((0.0, 0.02, 0.2)))
    yield


@contextmanager
def kubelet_away(trial: Trial) -> Iterator[None]:
    trial.kubelet.stop(keep_socket=trial.rng.random() < 0.5)
    try:
        if trial.rng.random() < 0.5:
            trial.kubelet.remove_directory()
        yield
    finally:
        trial.kubelet.start()


@contextmanager
def kubelet_refuses(trial: Trial) -> Iterator[None]:
    trial.kubelet.refuse("not now")
    trial.kubelet.restart()
    try:
        yield
    finally:
        trial.kubelet.accept()


@contextmanager
def kubelet_hangs(trial: Trial) -> Iterator[None]:
    trial.kubelet.hang_in_register(trial.rng.choice((0.5, 10.0)))
    trial.kubelet.restart()
    try:
        yield
    finally:
        trial.kubelet.hang_in_register(0)


_NO_CONFIGURATION = (2,)  # one that is started with a configuration that cannot be used says so and ends
_IN_USE = (1, 2, 4)

FAULTS: dict[str, Fault] = {
    "SIGHUP, many": Fault(hang_ups, "process"),
    "agent frozen": Fault(frozen_agent, "process"),
    "configuration edited, well": Fault(other_configuration, "configuration"),
    "offered otherwise": Fault(other_kubernetes, "configuration"),
    "configuration without a class": Fault(no_class_at_all, "configuration"),
    "configuration broken": Fault(broken_configuration, "configuration", may_end=_NO_CONFIGURATION),
    "configuration no file": Fault(configuration_that_is_no_file, "configuration", may_end=_NO_CONFIGURATION),
    "configuration open to others": Fault(configuration_open_to_others, "configuration", may_end=_NO_CONFIGURATION),
    "configuration written slowly": Fault(slow_editor, "configuration", may_end=_NO_CONFIGURATION),
    "specs edited": Fault(edited_specs, "specs"),
    "specs replaced": Fault(replaced_specs, "specs"),
    "specs deleted": Fault(deleted_specs, "specs"),
    "links for specs": Fault(links_for_specs, "specs"),
    "directory for a spec": Fault(directory_for_a_spec, "specs"),
    "lock removed": Fault(lock_removed, "specs"),
    "spec directory removed": Fault(spec_directory_removed, "specs"),
    "spec directory replaced": Fault(spec_directory_replaced, "specs"),
    "file for the spec directory": Fault(file_for_the_spec_directory, "specs"),
    "file system mounted over": Fault(mounted_over, "specs"),
    "disk full": Fault(full_disk, "specs"),
    "disk read-only": Fault(read_only_disk, "specs"),
    "inotify queue overflown": Fault(overflowing_queue, "process"),
    "few descriptors": Fault(few_descriptors, "process"),
    "little memory": Fault(little_memory, "process", may_end=(HUNG, 1, -signal.SIGSEGV)),
    "no inotify": Fault(no_watches, "process", restarts=True),
    "clock stepped": Fault(stepping_clock, "process", restarts=True),
    "agent away": Fault(away, "process", restarts=True),
    "agent stopped and started": Fault(stopped_and_started, "process", restarts=True),
    "killed while it writes": Fault(killed_between_write_and_rename, "process", restarts=True),
    "second agent": Fault(second_agent, "process", may_end=_IN_USE),
    "name taken by others": Fault(name_taken_by_others, "specs"),
    "others rewrite theirs": Fault(others_rewritten, "specs"),
    "udevd frozen": Fault(frozen_udevd, "udevd"),
    "kubelet restarted": Fault(kubelet_restarts, "kubelet"),
    "kubelet away": Fault(kubelet_away, "kubelet"),
    "kubelet refuses": Fault(kubelet_refuses, "kubelet"),
    "kubelet hangs in Register": Fault(kubelet_hangs, "kubelet"),
}

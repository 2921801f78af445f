"""What must be true of spec directories, told by a program that shares no code with what it judges.

    python -I -S invariants.py serve           a judgement a line: a JSON request in, a JSON answer out
    python -I -S invariants.py read SCRATCH DIRECTORY...
                                               read every spec in a tight loop, and tell of partial and wrong ones

It has its own reading of specs, of sysfs, of /dev and of udev's files, for the classes of `tests/campaign/site.py`
only. What a judgement remembers of earlier ones (which devices gave which bytes, which name a backing file had) lives
as long as the process.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import sys
from typing import Any

_OURS = re.compile(r"cdi-sync\+([a-z0-9.]+)\+([a-z0-9]+)\.json")
_VENDOR = "campaign.test"
_LOCK = ".cdi-sync.lock"
_SIZED = re.compile(r"1048[0-9]{6}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?")

Nodes = dict[str, list[tuple[str, str]]]
"""Devices by name: the pairs of path in the container and path on the host."""


class Judge:
    """Judges the spec directories of several agents, again and again."""

    def __init__(self) -> None:
        self._bytes: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._left: dict[str, list[tuple[str, int, int]]] = {}

    def answer(self, request: dict[str, Any]) -> list[str]:
        """Return what is not as it must be, empty when all is well; or the names of the devices that exist."""
        if request["ask"] == "remember":
            self._left = {place: _traces(place) for place in request["directories"]}
            return []
        if request["ask"] == "still":
            return [f"{place}: specs were written though nothing changed"
                    for place, traces in self._left.items() if _traces(place) != traces]  # fmt: skip
        wanted = expected(request)
        if request["ask"] == "devices":
            return [f"{_VENDOR}/{kind}={name}" for kind, devices in wanted.items() for name in devices]
        faults = [fault for site in request["sites"] for fault in self.judge(site, wanted)]
        return faults + self._renamed(wanted)

    def judge(self, site: dict[str, Any], wanted: dict[str, Nodes]) -> list[str]:
        """Judge one agent's directory, its files, its lock and its process."""
        directory = site["directory"]
        try:
            names = sorted(os.listdir(directory))
        except OSError as error:
            return [f"{directory}: {error.strerror}"]
        faults = [f"{directory}: no spec may be there: {name}" for name in names if _stray(name, wanted)]
        faults += [fault for kind, devices in wanted.items() for fault in self._spec(directory, kind, devices)]
        faults += [f"{path}: a file of others was changed" for path, digest in site["foreign"].items()
                   if digest != _digest(path)]  # fmt: skip
        known = {os.path.basename(path) for path in site["foreign"]}
        ours = {_file(kind) for kind, devices in wanted.items() if devices}
        faults += [f"{directory}: {name} was left behind" for name in names if name not in known | ours | {_LOCK}]
        return faults + _lock(directory, site["pid"])

    def _spec(self, directory: str, kind: str, devices: Nodes) -> list[str]:
        path = os.path.join(directory, _file(kind))
        try:
            with open(path, "rb") as file:
                data, mode = file.read(), os.fstat(file.fileno()).st_mode
        except FileNotFoundError:
            return [f"{path}: not there, though there are {sorted(devices)}"] if devices else []
        if not devices:
            return [f"{path}: is there, though there is no device"]
        faults = flaws(os.path.basename(path), data, mode)
        if faults:
            return [f"{path}: {fault}" for fault in faults]
        found = _found(json.loads(data))
        if found != devices:
            return [f"{path}: has {found} instead of {devices}"]
        key = json.dumps([kind, devices], sort_keys=True)
        if self._bytes.setdefault(key, _sha(data)) != _sha(data):
            return [f"{path}: the same devices gave other bytes before"]
        return []

    def _renamed(self, wanted: dict[str, Nodes]) -> list[str]:
        """Tell of a name that stood for another thing before: a backing file, or a size, keeps its name."""
        now = {f"{kind}={name}": name for kind in ("loop", "zram") for name in wanted.get(kind, {})}
        return [f"{key}: was {self._names[key]}" for key, name in now.items()
                if self._names.setdefault(key, name) != name]  # fmt: skip


def expected(request: dict[str, Any]) -> dict[str, Nodes]:
    """Return the devices that exist now, by kind: read from /sys, /dev and /run/udev."""
    loops, zrams, known = {}, {}, {}
    for name in os.listdir("/sys/block"):
        device, node = f"/sys/block/{name}", f"/dev/{name}"
        backing = _text(f"{device}/loop/backing_file")
        if backing.startswith(request["backing"] + "/"):
            loops[backing.strip("/").replace("/", "-")] = [(node, node)]
        size = _text(f"{device}/disksize")
        if _SIZED.fullmatch(size):
            zrams[f"size-{size}"] = [(f"/dev/campaign/size-{size}", node)]
        serial = _udev_property(_text(f"{device}/dev"), "CAMPAIGN_SERIAL")
        if serial:
            known[serial] = [(node, node)]
    together = sorted(host for devices in (loops, zrams) for pairs in devices.values() for _, host in pairs)
    nodes = {name: [(path, path)] for name in os.listdir(request["nodes"])
             if _is_device(path := f"{request['nodes']}/{name}")}  # fmt: skip
    return {
        "loop": loops,
        "zram": zrams,
        "node": nodes,
        "known": known,
        "net": {name: [("eth1", name)] for name in os.listdir("/sys/class/net") if name.startswith("cdit")},
        "all": {"all": [(node, node) for node in together]} if together else {},
    }


def flaws(name: str, data: bytes, mode: int) -> list[str]:
    """Return what is wrong with one of our specs, whatever its devices; the name is the file's."""
    match = _OURS.fullmatch(name)
    if match is None:
        return ["this is no name of a spec of ours"]
    if stat.S_IMODE(mode) != 0o644:
        return [f"has mode {stat.S_IMODE(mode):04o}"]
    if not data.endswith(b"}\n"):
        return [f"is partial: {data[-40:]!r}"]
    try:
        return _wrong(json.loads(data, object_pairs_hook=_once), f"{match[1]}/{match[2]}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"is no spec: {error!r}"]


def _wrong(document: Any, kind: str) -> list[str]:
    if not isinstance(document, dict) or set(document) - {"cdiVersion", "kind", "devices", "containerEdits"}:
        return ["has other members than a spec has"]
    if document.get("kind") != kind:
        return [f"is of kind {document.get('kind')!r}"]
    devices = document.get("devices")
    if not isinstance(devices, list) or not devices:
        return ["has no devices"]
    names = [device["name"] for device in devices]
    faults = [] if names == sorted(set(names)) else ["has its devices twice, or in no order"]
    faults += [f"has a device named {name!r}" for name in names if not _NAME.fullmatch(name) or len(name) > 56]
    faults += ["has a device without edits" for device in devices if not device.get("containerEdits")]
    numbers = {"type", "major", "minor"}
    nodes = [node for device in devices for node in device["containerEdits"].get("deviceNodes", ())]
    faults += [f"{node['path']} has its number in it" for node in nodes if numbers & set(node)]
    needed = _version(devices)
    if document.get("cdiVersion") != needed:
        faults.append(f"says version {document.get('cdiVersion')} and needs {needed}")
    return faults


def _version(devices: list[Any]) -> str:
    """Return the lowest version that has all that the campaign's classes use."""
    edits = [device["containerEdits"] for device in devices]
    if any("netDevices" in one for one in edits):
        return "1.1.0"
    linked = any("hostPath" in node for one in edits for node in one.get("deviceNodes", ()))
    return "0.5.0" if linked or any(device["name"][0].isdigit() for device in devices) else "0.3.0"


def _found(document: Any) -> Nodes:
    found: Nodes = {}
    for device in document["devices"]:
        edits = device["containerEdits"]
        pairs = [(node["path"], node.get("hostPath", node["path"])) for node in edits.get("deviceNodes", ())]
        pairs += [(one["name"], one["hostInterfaceName"]) for one in edits.get("netDevices", ())]
        found[device["name"]] = pairs
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member is there twice")
    return dict(pairs)


def _lock(directory: str, pid: int) -> list[str]:
    """Tell whether the agent holds the one lock of its directory."""
    try:
        inode = os.lstat(os.path.join(directory, _LOCK)).st_ino
    except OSError as error:
        return [f"{directory}: its lock: {error.strerror}"]
    with open("/proc/locks") as file:
        rows = [line.split() for line in file if f":{inode} " in line and "->" not in line]
    holders = [int(row[4]) for row in rows if row[1] == "FLOCK" and _same_device(row[5], directory)]
    return [] if holders == [pid] else [f"{directory}: its lock is held by {holders} instead of {pid}"]


def _same_device(entry: str, directory: str) -> bool:
    major, minor, _ = entry.split(":")
    device = os.stat(directory).st_dev
    return (int(major, 16), int(minor, 16)) == (os.major(device), os.minor(device))


def _stray(name: str, wanted: dict[str, Nodes]) -> bool:
    match = _OURS.fullmatch(name)
    return match is not None and (match[1] != _VENDOR or not wanted.get(match[2]))


def _traces(directory: str) -> list[tuple[str, int, int]]:
    found = []
    for name in sorted(os.listdir(directory)):
        if _OURS.fullmatch(name):
            status = os.lstat(os.path.join(directory, name))
            found.append((name, status.st_ino, status.st_mtime_ns))
    return found


def _udev_property(number: str, name: str) -> str:
    for line in _text(f"/run/udev/data/b{number}").splitlines():
        if line.startswith(f"E:{name}="):
            return line.partition("=")[2]
    return ""


def _file(kind: str) -> str:
    return f"cdi-sync+{_VENDOR}+{kind}.json"


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().removesuffix("\n")
    except OSError:
        return ""


def _itself(path: str, flags: int) -> int:
    """Open a file for `open`; a link or a pipe in its place is not the agent's."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _bear(error: OSError) -> None:
    """Pass over what is not there, or no file; a reader that is short of something would read nothing, unnoticed."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        raise error


def _is_device(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return _sha(file.read())
    except OSError as error:
        return str(error.strerror)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def serve() -> None:
    """Answer requests until there are no more."""
    judge = Judge()
    for line in sys.stdin:
        try:
            answer = judge.answer(json.loads(line))
        except OSError as error:  # a device went while it was looked at
            answer = [f"could not be judged: {error}"]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


class Reader:
    """Reads every spec of ours over and over, as a runtime might at any moment."""

    def __init__(self, scratch: str, directories: list[str]) -> None:
        self.scratch = scratch
        self.directories = directories
        self.reads = 0
        self.faults: list[str] = []

    def run(self) -> None:
        """Read until the scratch directory has a file ``stop``; then print what was found."""
        os.nice(19)  # it shall take what is left, not slow down what it watches
        while not os.path.exists(f"{self.scratch}/stop"):
            for directory in self.directories:
                self.sweep(directory)
        sys.stdout.write(json.dumps({"reads": self.reads, "faults": self.faults}) + "\n")

    def sweep(self, directory: str) -> None:
        """Read all of a directory once."""
        try:
            names = os.listdir(directory)
        except OSError as error:
            _bear(error)
            return
        for name in names:
            if name.endswith((".json", ".yaml")) and name.startswith("cdi-sync+campaign"):
                self.read(directory, name)

    def read(self, directory: str, name: str) -> None:
        """Read and judge one file."""
        try:
            with open(os.path.join(directory, name), "rb", opener=_itself) as file:
                status, data = os.fstat(file.fileno()), file.read()
        except OSError as error:
            _bear(error)
            return
        if not stat.S_ISREG(status.st_mode):
            return
        self.reads += 1
        faults = flaws(name, data, status.st_mode)
        if faults and str(status.st_ino) not in _text(f"{self.scratch}/spoilt").split() and len(self.faults) < 100:
            self.faults += [f"{directory}/{name}: {fault}" for fault in faults]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        Reader(sys.argv[2], sys.argv[3:]).run()

"""The test bed: recorded hardware as a tree of sysfs and /dev on disk, looked at by the real code.

    bed = Bed(tmp_path)
    seen = bed.seen(Recording.read("ftdi-pair"), "usb-serial")
    seen.devices == {"pci-0000:00:14.0-usb-0:1.1:1.0-port0": ("/dev/ttyUSB0",), ...}

A recording is text in the form that ``umockdev-record`` writes: of each device its directory (P), node (N), links to
the node (S), properties (E), attributes (A) and links in its directory (L). ``#`` begins a line of prose. Where mounts
matter, ``NAME.mountinfo`` and ``NAME.swaps`` stand beside it.

Only root can make device nodes. So a node of the bed is an empty file, and the bed's `Look` tells what it stands for;
with ``real=True`` it is a node, and the `Look` the agent's own. Everything else is as in the agent.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.config import files
from agent.config.checking import settings_of
from agent.discovery.observe import observe
from agent.discovery.sysfs import Look, Roots, SysDevice
from agent.render import render
from cdi import codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent.config.settings import DeviceClass
    from agent.host import Observation
    from cdi.model import Device, Spec

RECORDINGS = Path(__file__).parents[1] / "data" / "hardware"

_OF_THE_KERNEL = re.compile(
    "MAJOR|MINOR|DEV(NAME|TYPE|NUM)|BUSNUM|DRIVER|MODALIAS|INTERFACE|IFINDEX|PCI_.*|PARTN"
)  # of the properties; udev adds the others
_GROUP_OF_NODES = 20


@dataclass(frozen=True, slots=True)
class Recorded:
    """One device of a recording: ``path`` is below ``/sys``, ``node`` and ``links`` below ``/dev``."""

    path: str
    node: str = ""
    links: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)

    @property
    def number(self) -> str:
        return "{MAJOR}:{MINOR}".format_map(self.properties)

    @property
    def kind(self) -> str:
        return "block" if self.properties.get("SUBSYSTEM") == "block" else "char"


@dataclass(frozen=True, slots=True)
class Recording:
    """The devices of a machine, in the order in which they came, and what it has mounted."""

    text: str
    mountinfo: str = ""
    swaps: str = ""

    @classmethod
    def read(cls, name: str) -> Recording:
        texts = (RECORDINGS / f"{name}{ending}" for ending in (".umockdev", ".mountinfo", ".swaps"))
        return cls(*(path.read_text() if path.exists() else "" for path in texts))

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(sorted(path.stem for path in RECORDINGS.glob("*.umockdev")))

    @property
    def devices(self) -> tuple[Recorded, ...]:
        return tuple(_recorded(block) for block in self.blocks)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The text of each device."""
        prose_free = re.sub(r"^#.*\n", "", self.text, flags=re.MULTILINE)
        return tuple(block for block in re.split(r"\n\s*\n", prose_free.strip()) if block)

    def renamed(self, names: Mapping[str, str]) -> Recording:
        """Give other names to what has names: kernel names, ports, links; all at once, so that two may swap."""
        if not names:
            return self
        longest_first = sorted(names, key=len, reverse=True)
        pattern = rf"(?<![0-9A-Za-z])({'|'.join(map(re.escape, longest_first))})(?![0-9A-Za-z.])"
        return replace(self, text=re.sub(pattern, lambda found: names[found[0]], self.text))

    def in_order(self, order: Sequence[int]) -> Recording:
        """Let the devices come in another order; of those that claim one link, the last has it."""
        return replace(self, text="\n\n".join(self.blocks[index] for index in order))

    def without(self, path: str) -> Recording:
        """Unplug what has ``path`` in its directory's name."""
        return replace(self, text="\n\n".join(one for one in self.blocks if path not in one.splitlines()[0]))

    def __add__(self, other: Recording) -> Recording:
        return Recording(f"{self.text}\n\n{other.text}", self.mountinfo + other.mountinfo, self.swaps + other.swaps)


def _recorded(block: str) -> Recorded:
    lines: dict[str, list[str]] = {letter: [] for letter in "PNSEAL"}
    for line in block.splitlines():
        letter, _, rest = line.partition(": ")
        lines[letter].append(rest)
    tables = (dict(line.split("=", 1) for line in lines[letter]) for letter in "EAL")
    return Recorded(lines["P"][0].lstrip("/"), "".join(lines["N"]), tuple(lines["S"]), *tables)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one class came to: nodes by device name, container nodes by device name, and what was said."""

    devices: dict[str, tuple[str, ...]]
    problems: str
    warnings: str
    spec: Spec | None

    @property
    def names(self) -> dict[str, str]:
        """The device name of each node."""
        return {node: name for name, nodes in self.devices.items() for node in nodes}


class Bed:
    """Machines made of recordings, one after the other, below one directory."""

    def __init__(self, directory: Path, *, udevd: bool = True, real: bool = False) -> None:
        """Without ``udevd`` there are no links in ``/dev`` and no properties but the kernel's."""
        self.directory = directory
        self.udevd = udevd
        self.real = real
        self._machines = 0

    def seen(self, recording: Recording, wanted: str, before: Seen | None = None) -> Seen:
        """Look for the devices of a class, a preset's name or TOML, where a spec stands already as it was before."""
        return self.machine(recording).seen(wanted, before)

    def machine(self, recording: Recording) -> Machine:
        self._machines += 1
        return Machine(self.directory / str(self._machines), recording, udevd=self.udevd, real=self.real)


class Machine:
    """One recording as it stands on disk."""

    def __init__(self, top: Path, recording: Recording, *, udevd: bool, real: bool) -> None:
        self.top = top
        self.recording = recording
        self.real = real
        self.nodes: dict[str, Recorded] = {}
        self.roots = Roots(*(f"{top}/{name}" for name in ("dev", "sys", "proc")))
        for path in ("dev", "sys/devices", "sys/dev/block", "sys/dev/char", "proc/self"):
            (top / path).mkdir(parents=True)
        self._mounts("self/mountinfo", recording.mountinfo)
        self._mounts("swaps", recording.swaps)
        for device in recording.devices:
            self._sysfs(device)
            if device.node:
                self._node(device, links=udevd)
        self.udev = _Udev(self.roots, recording.devices) if udevd else None

    def _mounts(self, path: str, text: str) -> None:
        (self.top / "proc" / path).write_text(re.sub(r"(?m)(^|(?<= ))/dev/", f"{self.roots.dev}/", text))

    def _sysfs(self, device: Recorded) -> None:
        directory = self.top / "sys" / device.path
        directory.mkdir(parents=True, exist_ok=True)
        own = {name: value for name, value in device.properties.items() if _OF_THE_KERNEL.fullmatch(name)}
        own |= {"DEVNAME": device.node} if device.node else {}
        (directory / "uevent").write_text("".join(f"{name}={value}\n" for name, value in own.items()))
        for name, value in device.attributes.items():
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).write_text(f"{value}\n")
        subsystem = device.properties.get("SUBSYSTEM", "")
        family = self.top / "sys/class" / subsystem
        family.mkdir(parents=True, exist_ok=True)
        targets = {**device.targets} | ({"subsystem": str(family)} if subsystem else {})
        for name, target in targets.items():
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).symlink_to(target)
        if group := device.targets.get("iommu_group"):
            members = self.top / "sys/kernel/iommu_groups" / os.path.basename(group) / "devices"
            members.mkdir(parents=True, exist_ok=True)
            (members / directory.name).symlink_to(directory)
        if subsystem == "net":
            (family / directory.name).symlink_to(directory)
        if "MAJOR" in device.properties:
            link = self.top / "sys/dev" / device.kind / device.number
            link.symlink_to(os.path.relpath(directory, link.parent))

    def _node(self, device: Recorded, *, links: bool) -> None:
        path = self.top / "dev" / device.node
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.real:
            os.mknod(path, 0o600 | _type(device), os.makedev(*map(int, device.number.split(":"))))
        else:
            path.touch()
        self.nodes[str(path)] = device
        for name in device.links if links else ():
            link = self.top / "dev" / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(path, link.parent))

    @property
    def look(self) -> Look:
        """A look at the machine."""
        return Look(self.roots, self.udev) if self.real else _Look(self)

    def device_class(self, wanted: str) -> DeviceClass:
        """Compile a preset or TOML, with this machine's ``/dev``."""
        preset = files.preset(wanted) if wanted.isprintable() and " " not in wanted else None
        text = (preset.text if preset else wanted).replace('"/dev/', f'"{self.roots.dev}/')
        return settings_of((files.parse("bed.toml", text),)).classes[0]

    def observation(self, device_class: DeviceClass) -> Observation:
        return observe([device_class], self.look)[device_class.kind]

    def seen(self, wanted: str, before: Seen | None = None) -> Seen:
        """See `Bed.seen`."""
        device_class = self.device_class(wanted)

        def previous() -> Mapping[str, Device]:
            spec = _moved(before.spec, "/dev/", f"{self.roots.dev}/") if before and before.spec else None
            return {device.name: device for device in spec.devices} if spec else {}

        rendered = render(device_class, self.observation(device_class), previous, {})
        return Seen(
            {offer.name: tuple(map(self.plain, offer.nodes)) for offer in rendered.offers},
            self.plain("\n".join(map(str, rendered.problems))),
            self.plain("\n".join(map(str, rendered.warnings))),
            _moved(rendered.spec, f"{self.roots.dev}/", "/dev/") if rendered.spec else None,
        )

    def plain(self, text: str) -> str:
        """Take the machine's own directory out of a text."""
        return text.replace(str(self.top), "")


class _Look(Look):
    """A look that takes the empty files of a machine for the nodes that they stand for."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.roots, machine.udev)
        self._nodes = machine.nodes

    def _device(self, path: str) -> SysDevice | None:
        recorded = self._nodes.get(path)
        return SysDevice(self, path, _status(recorded)) if recorded else super()._device(path)


def _type(device: Recorded) -> int:
    return stat.S_IFBLK if device.kind == "block" else stat.S_IFCHR


def _status(device: Recorded) -> os.stat_result:
    """Tell of a node what `lstat` would."""
    number = os.makedev(*map(int, device.number.split(":")))
    return os.stat_result((0o660 | _type(device), 0, 0, 1, 0, _GROUP_OF_NODES, 0, 0, 0, 0), {"st_rdev": number})


class _Udev:
    """What udev would know of recorded devices."""

    def __init__(self, roots: Roots, devices: Iterable[Recorded]) -> None:
        self._roots = roots
        self._devices = {f"{roots.sys}/{device.path}": device for device in devices}

    def properties(self, syspath: str) -> Mapping[str, str] | None:
        device = self._devices.get(syspath)
        return None if device is None else dict(self._properties(device))

    def _properties(self, device: Recorded) -> Iterator[tuple[str, str]]:
        yield "DEVPATH", f"/{device.path}"
        yield from device.properties.items()
        if device.node:
            yield "DEVNAME", f"{self._roots.dev}/{device.node}"
        if device.links:
            yield "DEVLINKS", " ".join(f"{self._roots.dev}/{link}" for link in device.links)

    def tags(self, syspath: str) -> frozenset[str]:
        device = self._devices.get(syspath)
        return frozenset(filter(None, device.properties.get("TAGS", "").split(":"))) if device else frozenset()

    def owes(self, syspath: str, node_changed: float) -> bool:
        return False


def _moved(spec: Spec, old: str, new: str) -> Spec:
    """Write the nodes of a spec for a tree elsewhere."""
    return codec.decode(codec.encode(spec).replace(f'"{old}'.encode(), f'"{new}'.encode()))

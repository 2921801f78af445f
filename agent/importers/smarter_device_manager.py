"""smarter-project/smarter-device-manager: its ``conf.yaml``, or the ConfigMap with it.

Facts are those of its sources of 2025. There each matching name below ``/dev`` is a Kubernetes resource of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.config.files import ConfigError
from agent.config.model import Class, Node, Select
from cdi.errors import Problem

from . import regexes
from .draft import Draft, DraftClass, Remark
from .globs import UntranslatableError, common_start, literal
from .nodes import are_told_apart, below_directories, constant, is_directory, kind
from .reading import documents, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .reading import Item

DOMAIN = "smarter-devices"
_NVIDIA = "nvidia-gpu"
_KEYS = ("devicematch", "nummaxdevices")


def translate(name: str, data: bytes) -> Draft:
    """Translate a configuration; ``name`` is the file's, for messages.

    Raises:
        ConfigError: it is no such configuration.
    """
    items = documents(name, data)
    if not items:
        raise ConfigError(Problem(name, "has no configuration in it", "name smarter-device-manager's conf.yaml"))
    item = unwrapped(items[0], "conf.yaml")
    if isinstance(item.value, dict) and item.member("config"):  # values of its Helm chart
        item = item.member("config") or item
    if not isinstance(item.value, list):
        raise item.fault("is not a list of devicematch and nummaxdevices", "name smarter-device-manager's conf.yaml")
    translation = _Translation()
    for entry in item.items():
        translation.add(entry)
    return Draft(tuple(translation.classes), (*translation.remarks, *translation.common(item)))


class _Translation:
    def __init__(self) -> None:
        self.classes: list[DraftClass] = []
        self.remarks: list[Remark] = []
        self.kinds: set[str] = set()
        self.several: list[str] = []

    def add(self, item: Item) -> None:
        """Translate one entry, or say why not."""
        table = item.table()
        if "devicematch" not in table:  # an empty expression, which matches every name
            raise item.fault("has no devicematch", "write the expression that names of devices must match")
        expression = item.child("devicematch").text()
        shares = item.child("nummaxdevices").count() if "nummaxdevices" in table else 0
        for other in item.others(*_KEYS):
            self.leave_out(other, "is not known to smarter-device-manager, which ignores it, and is left out")
        if expression == _NVIDIA:
            self.leave_out(
                item,
                "nvidia-gpu is not a name below /dev but NVIDIA's GPUs, and is left out",
                "its own generator describes them for CDI: nvidia-ctk cdi generate",
            )
        elif shares == 0:
            self.leave_out(item, f"{expression!r} has a nummaxdevices of 0, so that no pod gets one, and is left out")
        else:
            self.translated(item, expression, shares)

    def leave_out(self, item: Item, fact: str, advice: str = "") -> None:
        self.remarks.append(item.remark(fact, advice))

    def translated(self, item: Item, expression: str, shares: int) -> None:
        try:
            names = regexes.names(expression)
            globs = () if names else regexes.globs(expression)
        except UntranslatableError as error:
            self.leave_out(
                item,
                f"the expression {expression!r} is left out, since {error}",
                "write a class with globs for what it means",
            )
            return
        for name in names:
            self.named(item, name, shares)
        if globs:
            self.matching(item, expression, globs, shares)

    def named(self, item: Item, name: str, shares: int) -> None:
        """Add the class of one name."""
        resource = f"{DOMAIN}/{_resource(name)}"
        wanted = kind(resource)
        path = f"/dev/{name}"
        if wanted in self.kinds:
            self.leave_out(item, f"{path} is left out, since {resource} is another device's already")
            return
        self.kinds.add(wanted)
        if is_directory(path):
            entry = Class(
                kind=wanted, all=_resource(name), only_all=True, select=(Select(devnode=(f"{literal(path)}/**",)),)
            )
        else:
            entry = Class(
                kind=wanted,
                name=constant(name.rpartition("/")[2]),
                select=(Select(devnode=(literal(path),)),),
                node=Node(path=constant(path)),
            )
        self.classes.append(DraftClass(entry, resource, shares, item.place))

    def matching(self, item: Item, expression: str, globs: tuple[str, ...], shares: int) -> None:
        """Add the class of all names that match."""
        below = tuple(more for glob in globs for more in below_directories(glob))
        start = _resource(common_start(globs).removeprefix("/dev/")).strip("_-") or "devices"
        wanted = self.free(kind(f"{DOMAIN}/{start}"))
        remark = item.child("devicematch").remark(expression, aloud=False)
        name = None if are_told_apart(globs) else "{sysname}"
        entry = Class(kind=wanted, name=name, select=(Select(devnode=(*globs, *below)),))
        self.classes.append(DraftClass(entry, wanted, shares, item.place, (remark,)))
        self.several.append(wanted)

    def common(self, item: Item) -> Iterator[Remark]:
        """Yield what is to be said once of all classes of several names."""
        if self.several:
            yield item.remark(
                "each name that an expression matches was a resource of its own; here they are devices of one",
                f"let pods ask for {', '.join(self.several)}, or give a name a class of its own",
            )
            fact = f"numbers in names are told up to {regexes.LONGEST_NUMBER} digits, since a glob cannot repeat"
            yield item.remark(fact, aloud=False)

    def free(self, wanted: str) -> str:
        number = 1
        free = wanted
        while free in self.kinds:
            number += 1
            free = f"{wanted}-{number}"
        self.kinds.add(free)
        return free


def _resource(name: str) -> str:
    """Return the name of a resource as smarter-device-manager makes it of a name below /dev."""
    return "".join(one if (one.isascii() and one.isalnum()) or one in "_-" else "_" for one in name)

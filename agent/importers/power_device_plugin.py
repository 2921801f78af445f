"""IBM/power-device-plugin: its ``config.json``, or the ConfigMap with it.

Facts are those of its sources in summer 2026. Every pod gets every device, which here is one device named ``all``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.config.files import ConfigError
from agent.config.model import Class, Node, Select
from cdi.errors import Problem

from .draft import PODS_A_NODE, Draft, DraftClass, Remark
from .globs import UntranslatableError, from_go
from .nodes import below_directories, is_link_place
from .reading import documents, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .reading import Item

KIND = "power-dev-plugin/dev"
NX_GZIP = "/dev/crypto/nx-gzip"

_FIELDS = (
    "nx-gzip",
    "permissions",
    "include-devices",
    "exclude-devices",
    "discovery-strategy",
    "scan-interval",
    "upper-limit",
)
_PERMISSIONS = ("r", "w", "m", "rw", "rm", "wm", "rwm")


def translate(name: str, data: bytes) -> Draft:
    """Translate a configuration; ``name`` is the file's, for messages.

    Raises:
        ConfigError: it is no such configuration.
    """
    items = documents(name, data)
    if not items:
        raise ConfigError(Problem(name, "has no configuration in it", "name power-device-plugin's config.json"))
    return _Translation(unwrapped(items[0], "config.json")).draft()


class _Translation:
    def __init__(self, item: Item) -> None:
        self.item = item
        self.remarks: list[Remark] = []

    def draft(self) -> Draft:
        if not any(self.item.member(field) for field in _FIELDS) and self.item.table():
            raise self.item.fault(
                f"has none of the keys of power-device-plugin ({', '.join(_FIELDS)})", "name its config.json"
            )
        for other in self.item.others(*_FIELDS):
            self.remark(other, "is not known to power-device-plugin, which ignores it, and is left out")
        include = self.patterns("include-devices")
        selects, excludes = self.selected(include), self.excluded(include)
        permissions = self.permissions()
        shares = self.shares()
        self.scanning()
        if not selects:
            self.remark(self.item, "selects no device", "nothing is left to write", what="")
            return Draft((), tuple(self.remarks))
        entry = Class(
            kind=KIND, all="all", only_all=True, select=selects, exclude=excludes, node=Node(permissions=permissions)
        )
        one = DraftClass(entry, KIND, shares, self.item.place, tuple(self.remarks))
        return Draft((one,))

    def remark(self, item: Item, fact: str, advice: str = "", *, what: str | None = None, aloud: bool = True) -> None:
        self.remarks.append(Remark(item.place, item.key if what is None else what, fact, advice, aloud))

    def patterns(self, key: str) -> tuple[Item, ...] | None:
        """Return the patterns of a list, blank ones left out; ``None`` without the list."""
        member = self.item.member(key)
        return tuple(item for item in member.items() if item.text().strip()) if member else None

    def globs(self, patterns: tuple[Item, ...]) -> Iterator[str]:
        for item in patterns:
            try:
                glob = from_go(item.text().strip())
            except UntranslatableError as error:
                self.remark(item, f"{item.text()!r} cannot be used, since {error}", "power-device-plugin skips it too")
                continue
            if is_link_place(glob):
                self.remark(
                    item,
                    f"{glob} are links: a container sees their nodes by the kernel's names here",
                    "name those in it, or make a class without only_all",
                )
            yield glob

    def selected(self, include: tuple[Item, ...] | None) -> tuple[Select, ...]:
        nx_gzip = self.item.member("nx-gzip")
        wanted = nx_gzip is not None and nx_gzip.truth()
        if not include:
            self.remark(
                self.item.child("include-devices"),
                "is empty: every disk and partition is handed out, also those the node itself runs on",
                "name those that containers may open",
            )
            return (Select(subsystem="block"), *([Select(devnode=(NX_GZIP,))] if wanted else []))
        globs = tuple(dict.fromkeys(self.globs(include)))
        below = tuple(more for glob in globs for more in below_directories(glob))
        if nx_gzip is not None and wanted and NX_GZIP not in globs:
            self.remark(
                nx_gzip,
                "adds nothing beside include-devices in power-device-plugin, nor here",
                f'add "{NX_GZIP}" to devnode to have it',
            )
        return (Select(devnode=(*globs, *below)),) if globs else ()

    def excluded(self, include: tuple[Item, ...] | None) -> tuple[Select, ...]:
        patterns = self.patterns("exclude-devices") or ()
        globs = tuple(dict.fromkeys(self.globs(patterns)))
        if globs and include:
            self.remark(
                patterns[0],
                "power-device-plugin ignores exclude-devices where include-devices is set; here they exclude",
                "drop [[class.exclude]] to hand those nodes out",
                what="exclude-devices",
            )
        # Without a list its library names all disks but unused loop devices, which have no size.
        unused = () if include else (Select(devnode=("/dev/loop*",), attributes={"size": "0"}),)
        return (*([Select(devnode=globs)] if globs else []), *unused)

    def permissions(self) -> str:
        member = self.item.member("permissions")
        text = member.text().lower() if member else ""
        if text in _PERMISSIONS:
            return text
        if member and text:
            self.remark(
                member,
                f"{member.text()!r} is not among {', '.join(_PERMISSIONS)}",
                "power-device-plugin takes rw for it, and so does this",
            )
        return "rw"

    def shares(self) -> int:
        limit = self.item.member("upper-limit")
        if limit is not None and limit.whole() > 0:
            self.remark(
                limit,
                "is how many pods may hold the devices at once; power-device-plugin counts up at each "
                "start of a container and never down",
                aloud=False,
            )
            return limit.count()
        self.remark(
            self.item,
            "power-device-plugin lets as many pods hold the devices as it has found devices",
            f"shares = {PODS_A_NODE} is what a node runs by default",
            what="upper-limit",
            aloud=False,
        )
        return PODS_A_NODE

    def scanning(self) -> None:
        members = [member for key in ("discovery-strategy", "scan-interval") if (member := self.item.member(key))]
        for member in members:
            member.text()
        if members:
            self.remark(
                members[0],
                "not needed, since devices are followed by the kernel's events",
                "[agent] resync is how often all are looked at even so",
                what=", ".join(member.key for member in members),
            )

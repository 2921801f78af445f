"""The one table of the spec's members, by which a tree of plain values becomes a spec, and a spec a tree.

A tree holds what a JSON or YAML text says: dict with text keys, list, str, int, float, bool, None. Reading follows
the Go types that runtimes decode into, habits included: member names match whatever their case, a number or truth
value where text belongs becomes text, null leaves a member as it is, and of two spellings of one member the later
in sorted order is read over the earlier.
"""

from __future__ import annotations

import math
import struct
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from cdi.errors import MOST, Problem, shown
from cdi.model import ContainerEdits, Device, DeviceNode, Hook, IntelRdt, Mount, NetDevice, Spec

if TYPE_CHECKING:
    from collections.abc import Iterator

Tree: TypeAlias = Any  # dict[str, Tree] | list[Tree] | str | int | float | bool | None

# A place in a tree as (place around it, key or index); the root is the empty tuple. Made for every value that is
# read, so it is cheap; made readable only for a problem.
Place: TypeAlias = tuple[Any, ...]

_UINT64 = 2**64
_INT64 = 2**63

# From here on the encoder between YAML and JSON writes a float with an exponent, which no integer member takes.
_EXPONENT = 1e21


class _TooManyFaultsError(Exception):
    """Reading on would tell nothing new."""


class Findings:
    """What turns up while a tree is read: faults, and notes on what was understood though written oddly.

    There are :data:`~cdi.errors.MOST` of each at most; with so many faults reading ends.
    """

    __slots__ = ("faults", "notes")

    def __init__(self) -> None:
        self.faults: list[Problem] = []
        self.notes: list[Problem] = []

    def fault(self, place: Place, message: str, hint: str = "") -> None:
        """Record what makes the tree no spec."""
        self.faults.append(Problem(path(place), message, hint))
        if len(self.faults) == MOST:
            raise _TooManyFaultsError

    def note_null(self, place: Place) -> None:
        """Record a null, which says nothing."""
        self.note(place, "the value is null, which is taken as absent", "leave it out")

    def note(self, place: Place, message: str, hint: str = "") -> None:
        """Record what runtimes understand, and other readers may not."""
        if len(self.notes) < MOST:
            self.notes.append(Problem(path(place), message, hint))


def folded(name: str) -> str:
    """Return a member's name as Go's JSON decoder compares it: two letters beyond ASCII fold into it."""
    name = name.replace("\u017f", "s").replace("\u212a", "k")
    return name.lower() if name.isascii() else name


class Shape(Protocol):
    """The type of a member: reads a value of a tree into a value of the model, and writes one back."""

    def read(self, tree: Tree, place: Place, findings: Findings, old: Any) -> Any:
        """Return what ``tree`` says; ``old`` is what the member holds already, or None. Faults go to ``findings``."""

    def write(self, value: Any) -> Tree:
        """Return the tree of a value of the model."""


class Text:
    """Text, or a scalar that is taken as text."""

    def read(self, tree: Tree, place: Place, findings: Findings, old: Any) -> Any:
        """Return text; numbers and truth values become text."""
        if type(tree) is str:
            return tree
        if tree is None:
            findings.note_null(place)
            return "" if old is None else old
        if isinstance(tree, bool | int | float):
            text = scalar_text(tree)
            findings.note(place, f"{_kind_of(tree)} is taken as the text {shown(text)}", "put it in quotes")
            return text
        return _mismatch(tree, place, findings, "text", "")

    def write(self, value: Any) -> Tree:
        """Return the text."""
        return value


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer within bounds; with ``optional``, null is no value, and otherwise 0."""

    least: int
    most: int
    optional: bool = False

    def read(self, tree: Tree, place: Place, findings: Findings, old: Any) -> Any:
        """Return an integer; a float that is whole is one."""
        if tree is None:
            findings.note_null(place)
            return None if self.optional else (old or 0)
        if type(tree) is float and tree.is_integer() and abs(tree) < _EXPONENT and not self._is_minus_zero(tree):
            tree = _encoded_integer(tree)
        if type(tree) is not int:
            return _mismatch(tree, place, findings, "an integer", 0)
        if not self.least <= tree <= self.most:
            findings.fault(place, "the number is out of range", f"it must be from {self.least} to {self.most}")
        return tree

    def write(self, value: Any) -> Tree:
        """Return the integer."""
        return value

    def _is_minus_zero(self, number: float) -> bool:
        # It is written "-0", which the parser of unsigned numbers refuses.
        return self.least == 0 and number == 0 and math.copysign(1, number) < 0


class Flag:
    """A truth value."""

    def read(self, tree: Tree, place: Place, findings: Findings, old: Any) -> Any:
        """Return a truth value."""
        if type(tree) is bool:
            return tree
        if tree is None:
            findings.note_null(place)
            return old or False
        return _mismatch(tree, place, findings, "true or false", False)

    def write(self, value: Any) -> Tree:
        """Return the truth value."""
        return value


@dataclass(frozen=True, slots=True)
class Items:
    """A list; with ``optional``, an absent one is told from an empty one.

    ``null_item`` says what a null among the items does to runtimes that decode them by pointer.
    """

    item: Shape
    optional: bool = False
    null_item: str = ""

    def read(self, tree: Tree, place: Place, findings: Findings, old: Any) -> Any:
        """Return a tuple; where items are there already, new ones are read over them."""
        if type(tree) is not list:
            absent = None if self.optional else ()
            if tree is None:
                findings.note_null(place)
                return absent
            return _mismatch(tree, place, findings, "a list", absent)
        read = self.item.read
        if self.null_item and None in tree:
            findings.fault((place, tree.index(None)), f"the item is null, which {self.null_item}", "remove it")
            return ()
        if old:
            before = (*old, *[None] * len(tree))
            return tuple(read(item, (place, index), findings, before[index]) for index, item in enumerate(tree))
        return tuple([read(item, (place, index), findings, None) for index, item in enumerate(tree)])

    def write(self, value: Any) -> Tree:
        """Return a list."""
        return [self.item.write(item) for item in value]


class Texts:
    """A map of text to text."""

    def read(self, tree: Tree, place: Place, findings: Findings, old: Any) -> Any:
        """Return a dict; what is there already stays, unless its key comes again."""
        if tree is None:
            findings.note_null(place)
            return {}
        if type(tree) is not dict:
            return _mismatch(tree, place, findings, "a map", {})
        return {**(old or {}), **{key: TEXT.read(tree[key], (place, key), findings, None) for key in tree}}

    def write(self, value: Any) -> Tree:
        """Return a dict, sorted by key."""
        return dict(sorted(value.items()))


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object: its name in a file, its attribute in the model, its type.

    ``always``: it is written even where it is empty.
    """

    name: str
    attribute: str
    shape: Shape
    always: bool = False


class Struct:
    """An object of known members; with ``optional``, null is no value, and otherwise an empty one."""

    def __init__(self, model: type, *members: Member, optional: bool = False) -> None:
        self.model = model
        self.members = members
        self.optional = optional
        self._by_name = {member.name: member for member in members}
        self._by_folded_name = {folded(member.name): member for member in members}
        required = {field.name for field in fields(model) if field.default is field.default_factory is MISSING}
        self._blank = {name: () if name == "devices" else "" for name in required}

    def read(self, tree: Tree, place: Place, findings: Findings, old: Any) -> Any:
        """Return a model; of one that is there already, members that do not come again stay."""
        if tree is None:
            findings.note_null(place)
            return None if self.optional else (self._blank_model() if old is None else old)
        if type(tree) is not dict:
            return _mismatch(tree, place, findings, "a map", self._blank_model())
        by_name = self._by_name
        if not by_name.keys() >= tree.keys():
            return self._read_folded(tree, place, findings, old)
        values = dict(self._blank) if old is None else _attributes(old)
        for name, value in tree.items():
            member = by_name[name]
            values[member.attribute] = member.shape.read(value, (place, name), findings, values.get(member.attribute))
        return self.model(**values)

    def write(self, value: Any) -> dict[str, Tree]:
        """Return a dict without empty members, unless they are always written."""
        return {
            member.name: member.shape.write(found)
            for member in self.members
            if (found := getattr(value, member.attribute)) is not None
            and (found or member.always or _is_optional(member.shape))
        }

    def _read_folded(self, tree: Tree, place: Place, findings: Findings, old: Any) -> Any:
        values = dict(self._blank) if old is None else _attributes(old)
        spelt: dict[str, str] = {}
        for name in sorted(tree):  # as the encoder between YAML and JSON sorts them; the last one wins
            member = self._member(name, place, findings)
            if member is None:
                continue
            if (other := spelt.setdefault(member.name, name)) != name:
                findings.note((place, name), f"the member stands here twice, also as {shown(other)}", "keep one")
            values[member.attribute] = member.shape.read(
                tree[name], (place, name), findings, values.get(member.attribute)
            )
        return self.model(**values)

    def _member(self, name: str, place: Place, findings: Findings) -> Member | None:
        if member := self._by_name.get(name):
            return member
        member = self._by_folded_name.get(folded(name))
        if member is None:
            close = get_close_matches(name[:64], self._by_name, n=1)
            findings.fault((place, name), "there is no such member", f"did you mean {close[0]}?" if close else "")
        else:
            findings.note((place, name), "the member's name is in the wrong case", f"write {member.name}")
        return member

    def _blank_model(self) -> Any:
        return self.model(**self._blank)


TEXT = Text()
_TEXTS = Texts()
_STRINGS = Items(TEXT)
_FLAG = Flag()
_INT64_NUMBER = Integer(-_INT64, _INT64 - 1)
_UINT32_NUMBER = Integer(0, 2**32 - 1)
_OPTIONAL_UINT32 = Integer(0, 2**32 - 1, optional=True)
_OPTIONAL_INT = Integer(-_INT64, _INT64 - 1, optional=True)
_CRASHES = "crashes container runtimes"

DEVICE_NODE = Struct(
    DeviceNode,
    Member("path", "path", TEXT, always=True),
    Member("hostPath", "host_path", TEXT),
    Member("type", "type", TEXT),
    Member("major", "major", _INT64_NUMBER),
    Member("minor", "minor", _INT64_NUMBER),
    Member("fileMode", "file_mode", _OPTIONAL_UINT32),
    Member("permissions", "permissions", TEXT),
    Member("uid", "uid", _OPTIONAL_UINT32),
    Member("gid", "gid", _OPTIONAL_UINT32),
)
NET_DEVICE = Struct(
    NetDevice,
    Member("hostInterfaceName", "host_interface_name", TEXT, always=True),
    Member("name", "name", TEXT, always=True),
)
MOUNT = Struct(
    Mount,
    Member("hostPath", "host_path", TEXT, always=True),
    Member("containerPath", "container_path", TEXT, always=True),
    Member("options", "options", _STRINGS),
    Member("type", "type", TEXT),
)
HOOK = Struct(
    Hook,
    Member("hookName", "hook_name", TEXT, always=True),
    Member("path", "path", TEXT, always=True),
    Member("args", "args", _STRINGS),
    Member("env", "env", _STRINGS),
    Member("timeout", "timeout", _OPTIONAL_INT),
)
INTEL_RDT = Struct(
    IntelRdt,
    Member("closID", "clos_id", TEXT),
    Member("l3CacheSchema", "l3_cache_schema", TEXT),
    Member("memBwSchema", "mem_bw_schema", TEXT),
    Member("schemata", "schemata", Items(TEXT, optional=True)),
    Member("enableMonitoring", "enable_monitoring", _FLAG),
    optional=True,
)
CONTAINER_EDITS = Struct(
    ContainerEdits,
    Member("env", "env", _STRINGS),
    Member("deviceNodes", "device_nodes", Items(DEVICE_NODE, null_item=_CRASHES)),
    Member("netDevices", "net_devices", Items(NET_DEVICE, null_item=_CRASHES)),
    Member("hooks", "hooks", Items(HOOK, null_item=_CRASHES)),
    Member("mounts", "mounts", Items(MOUNT, null_item=_CRASHES)),
    Member("intelRdt", "intel_rdt", INTEL_RDT),
    Member("additionalGids", "additional_gids", Items(_UINT32_NUMBER)),
)
DEVICE = Struct(
    Device,
    Member("name", "name", TEXT, always=True),
    Member("annotations", "annotations", _TEXTS),
    Member("containerEdits", "container_edits", CONTAINER_EDITS, always=True),
)
SPEC = Struct(
    Spec,
    Member("cdiVersion", "version", TEXT, always=True),
    Member("kind", "kind", TEXT, always=True),
    Member("annotations", "annotations", _TEXTS),
    Member("devices", "devices", Items(DEVICE), always=True),
    Member("containerEdits", "container_edits", CONTAINER_EDITS),
)


def read(tree: Tree, findings: Findings) -> Spec | None:
    """Return the spec that a tree says; None, and faults in ``findings``, where it says none."""
    if tree is None:
        findings.fault((), "there is no spec in it", "a spec is a map with cdiVersion, kind and devices")
        return None
    try:
        spec: Spec = SPEC.read(tree, (), findings, None)
    except _TooManyFaultsError:
        return None
    return None if findings.faults else spec


def write(spec: Spec) -> dict[str, Tree]:
    """Return a spec as a tree, in the order of SPEC.md; what is empty is left out where it may be."""
    return SPEC.write(spec)


def path(place: Place) -> str:
    """Return the JSON path of a place: ``devices[0].annotations["a.b/c"]``; empty for the root."""
    keys = []
    while place:
        place, key = place
        keys.append(_step(key))
    return "".join(reversed(keys)).removeprefix(".")


def scalar_text(number: float) -> str:
    """Return the text as which a number or truth value is taken where text belongs.

    Floats are written with the digits that single precision needs, which is not always what stood in the file.
    """
    if isinstance(number, bool):
        return "true" if number else "false"
    if isinstance(number, int):
        if -_INT64 <= number < _UINT64:
            return str(number)
        # A longer integer is read as a float, and as text where it is too long for that as well.
        try:
            number = float(number)
        except OverflowError:
            return str(number)
    return _single_precision(number)


def _encoded_integer(number: float) -> int:
    """Return the integer that the encoder between YAML and JSON writes for a float: its shortest digits, then zeros."""
    mantissa, _, power = f"{number!r}".partition("e")
    if not power:
        return int(number)
    whole, _, fraction = mantissa.partition(".")
    return int(whole + fraction + "0" * (int(power) - len(fraction)))


def _single_precision(number: float) -> str:
    try:
        (single,) = struct.unpack("f", struct.pack("f", number))
    except OverflowError:
        single = math.copysign(math.inf, number)
    if math.isnan(single):
        return "NaN"
    if math.isinf(single):
        return "+Inf" if single > 0 else "-Inf"
    digits = next(text for text in _candidates(single) if _rounds_to(text, single))
    mantissa, _, power = digits.partition("e")
    return _plain_or_exponent(mantissa, int(power))


def _candidates(single: float) -> Iterator[str]:
    return (f"{single:.{precision}e}" for precision in range(9))


def _rounds_to(text: str, single: float) -> bool:
    try:
        return bool(struct.unpack("f", struct.pack("f", float(text)))[0] == single)
    except OverflowError:
        return False


def _plain_or_exponent(mantissa: str, power: int) -> str:
    sign = "-" if mantissa.startswith("-") else ""
    digits = mantissa.removeprefix("-").replace(".", "")
    if not -4 <= power < 6:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    whole, fraction = digits[: power + 1].ljust(power + 1, "0"), digits[power + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _mismatch(tree: Tree, place: Place, findings: Findings, wanted: str, instead: Any) -> Any:
    findings.fault(place, f"{_kind_of(tree)} stands where {wanted} belongs")
    return instead


def _kind_of(tree: Tree) -> str:
    match tree:
        case None:
            return "null"
        case bool():
            return f"the truth value {'true' if tree else 'false'}"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a map"


def _is_optional(shape: Shape) -> bool:
    return isinstance(shape, Integer | Struct) and shape.optional


def _attributes(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    if key.isidentifier() and key.isascii():
        return f".{key}"
    return '["' + key.replace("\\", "\\\\").replace('"', '\\"') + '"]'

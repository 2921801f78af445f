"""squat/generic-device-plugin: its configuration file, its flags, or a manifest that holds either.

Facts are those of its sources in 2026. A resource is a list of groups; each group yields units, and a unit, which is
nodes and mounts, is what a pod gets for one. What units are here, :mod:`.units` decides.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.config.files import ConfigError
from cdi.errors import Problem
from cdi.wire import folded

from .draft import Draft, DraftClass, Remark
from .reading import Document, Item, documents, unwrapped
from .units import Group, Path, Usb, compose

if TYPE_CHECKING:
    from collections.abc import Iterator

DOMAIN = "squat.ai"

_NAME = re.compile(r"[a-z0-9][-a-z0-9]*[a-z0-9]")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_OURS = ("listen", "log-level", "plugin-directory", "config", "version")  # settings of the peer's process
_ADVICE = "name generic-device-plugin's configuration file, its flags, or the manifest that has them"
_UNKNOWN = "is not known to generic-device-plugin, which ignores it, and is left out"
_PATH = ("path", "mountPath", "permissions", "readOnly", "type", "limit", "optional")
_DEPTH = 12


@dataclass(frozen=True, slots=True)
class _Settings:
    """What flags or a file say; ``devices`` are the specs of resources, ``flags`` whether they come from flags."""

    devices: tuple[Item, ...] = ()
    domain: Item | None = None
    others: tuple[Item, ...] = ()
    flags: bool = False


def translate(name: str, data: bytes) -> Draft:
    """Translate a configuration; ``name`` is the file's, for messages.

    Raises:
        ConfigError: it is no such configuration.
    """
    settings = _settings(name, data)
    domain = settings.domain.text() if settings.domain else DOMAIN
    if settings.domain and not _DOMAIN.fullmatch(domain):
        raise settings.domain.fault(f"{domain!r} is no domain", 'write it like "squat.ai"')
    remarks = [
        other.remark("concerns the process of generic-device-plugin, and is left out")
        if folded(str(other.path[-1])) in _OURS
        else other.remark(_UNKNOWN)
        for other in settings.others
    ]
    classes: dict[str, DraftClass] = {}
    for device in settings.devices:
        one, left_out = _resource(device, domain, flags=settings.flags)
        remarks += left_out
        if one and one.entry.kind in classes:
            remarks.append(device.remark(f"is left out, since {one.resource} is there already"))
        elif one:
            classes[one.entry.kind] = one
    return Draft(tuple(classes.values()), tuple(remarks))


def _resource(item: Item, domain: str, *, flags: bool) -> tuple[DraftClass | None, tuple[Remark, ...]]:
    name = item.member("name")
    trimmed = name.text().strip() if name else ""
    if not _NAME.fullmatch(trimmed):
        where = name or item
        raise where.fault(
            f"{trimmed!r} is no name of a resource" if name else "has no name",
            "write lower-case letters, digits and dashes, two characters at least",
        )
    listed = item.member("groups")
    groups = tuple(_group(one, flags=flags) for one in listed.items()) if listed else ()
    ignored = tuple(other.remark(_UNKNOWN) for other in _unknown(item, listed))
    drafted, remarks = compose(item, f"{domain}/{trimmed}", groups)
    return (
        (replace(drafted, remarks=(*ignored, *drafted.remarks)), remarks) if drafted else (None, (*ignored, *remarks))
    )


def _unknown(item: Item, groups: Item | None) -> Iterator[Item]:
    yield from item.others("name", "groups")
    for group in groups.items() if groups else ():
        yield from group.others("paths", "usb", "count")
        for key, known in (("paths", _PATH), ("usb", ("vendor", "product", "serial"))):
            listed = group.member(key)
            for one in listed.items() if listed else ():
                yield from one.others(*known)


def _group(item: Item, *, flags: bool) -> Group:
    paths, usb, count = item.member("paths"), item.member("usb"), item.member("count")
    group = Group(
        item,
        tuple(map(_path, paths.items())) if paths else (),
        tuple(_usb(one, flags=flags) for one in usb.items()) if usb else (),
        (count.count() if count else 0) or 1,
    )
    if group.paths and group.usb:
        raise item.fault("has paths and usb, which generic-device-plugin refuses", "make two groups of it")
    return group


def _path(item: Item) -> Path:
    path, inside, kind = item.member("path"), item.member("mountPath"), item.member("type")
    permissions, limit = item.member("permissions"), item.member("limit")
    read_only, optional = item.member("readOnly"), item.member("optional")
    if path is None:
        raise item.fault("has no path", 'write path: "/dev/..."')
    return Path(
        item,
        path.text().strip(),
        inside.text().strip() if inside else "",
        (permissions.text() if permissions else "") or "mrw",
        (kind.text() if kind else "") or "Device",
        (limit.count() if limit else 0) or 1,
        read_only=read_only.truth() if read_only else False,
        optional=optional.truth() if optional else False,
    )


def _usb(item: Item, *, flags: bool) -> Usb:
    serial = item.member("serial")
    vendor, product = item.member("vendor"), item.member("product")
    remarks = tuple(
        one.remark(
            f"is a number without quotes, which generic-device-plugin takes for {_id(one, flags)}",
            "quote it in its file, and correct it here, if that was not meant",
        )
        for one in (vendor, product)
        if one and isinstance(one.value, int) and one.raw.lower().zfill(4) != _id(one, flags)
    )
    return Usb(item, _id(vendor, flags), _id(product, flags), serial.text() if serial else "", remarks)


def _id(item: Item | None, flags: bool) -> str:
    """Return an id as sysfs writes it. Without quotes it is a number in a file, and hexadecimal digits in a flag."""
    if item is None or item.value == "":
        return "0000"
    text = str(item.value)
    number = int(text, 16) if re.fullmatch(r"[0-9A-Fa-f]{1,16}", text) else -1
    if isinstance(item.value, int) and not isinstance(item.value, bool) and not flags:
        number = item.value
    if not isinstance(item.value, int | str) or isinstance(item.value, bool) or not 0 <= number <= 0xFFFF:
        raise item.fault(f"{text[:40]!r} is no id of four hexadecimal digits", 'write it in quotes, like "1a86"')
    return f"{number:04x}"


def _settings(name: str, data: bytes) -> _Settings:
    """Find the settings in a file, whatever its form."""
    if re.match(rb"\s*(?:\S*generic-device-plugin\s+)?--[a-z]", data):
        return _with_devices(name, [_of_arguments(_shell_words(name, data))])
    found = [_of_item(item) for item in documents(name, data)]
    return _with_devices(name, [one for one in found if one])


def _with_devices(name: str, found: list[_Settings]) -> _Settings:
    """Join what the documents of a file say; a flag wins over a configuration file, as there."""
    ranked = sorted(found, key=lambda one: not one.flags)
    if not any(one.devices for one in ranked):
        raise ConfigError(Problem(name, "has no devices of generic-device-plugin", _ADVICE))
    return _Settings(
        next(one.devices for one in ranked if one.devices),
        next((one.domain for one in ranked if one.domain), None),
        tuple(other for one in ranked for other in one.others),
        next(one.flags for one in ranked if one.devices),
    )


def _of_item(item: Item) -> _Settings | None:
    item = unwrapped(item, "config.yaml", "config.yml") if _is_config_map(item) else item
    if isinstance(item.value, list):
        words = item.items()
        return _of_arguments(words) if all(isinstance(word.value, str) for word in words) else None
    if not isinstance(item.value, dict):
        raise item.fault("is neither a table nor a list", _ADVICE)
    devices = item.member("devices") or item.member("device")
    if devices:
        others = tuple(item.others("devices", "device", "domain"))
        return _Settings(devices.items(), item.member("domain"), others)
    if item.member("groups") and not item.member("kind"):  # some manifests, of other things, have groups
        return _Settings((item,), flags=True)
    return next(map(_of_arguments, _arguments(item)), None)


def _is_config_map(item: Item) -> bool:
    return isinstance(item.value, dict) and item.value.get("kind") == "ConfigMap"


def _arguments(item: Item, depth: int = 0) -> Iterator[tuple[Item, ...]]:
    """Find the arguments of the first container that asks for devices."""
    if isinstance(item.value, dict) and depth < _DEPTH:
        words = tuple(
            word
            for key in ("command", "args")
            if (part := item.member(key)) and isinstance(part.value, list)
            for word in part.items()
        )
        if any(isinstance(word.value, str) and word.value.startswith(("--device", "--domain")) for word in words):
            yield words
        for key in item.value:
            yield from _arguments(item.child(key), depth + 1)
    elif isinstance(item.value, list) and depth < _DEPTH:
        for one in item.items():
            yield from _arguments(one, depth + 1)


def _shell_words(name: str, data: bytes) -> tuple[Item, ...]:
    """Read flags as a shell would."""
    if len(data) > 1 << 18:
        raise ConfigError(Problem(name, "is larger than 256 KiB", "this is hardly a command line; name another file"))
    try:
        words = shlex.split(data.decode(), comments=True)
    except UnicodeDecodeError:
        raise ConfigError(Problem(name, "is not UTF-8 text", "save it as UTF-8")) from None
    except ValueError as error:
        raise ConfigError(Problem(name, f"these flags end too early: {str(error).lower()}", "close it")) from None
    document = Document(name, b"", within=name)
    return tuple(Item(document, (index,), word) for index, word in enumerate(words))


def _of_arguments(words: tuple[Item, ...]) -> _Settings:
    """Read flags as the Go library does: ``--name value`` or ``--name=value``."""
    settings = _Settings(flags=True)
    waiting: str | None = None
    for word in words:
        text = word.text()
        flag, equals, value = text.partition("=")
        if waiting is not None:
            settings, waiting = _with_flag(settings, waiting, word, text), None
        elif flag.startswith("--") and (equals or flag == "--version"):
            settings = _with_flag(settings, flag[2:], word, value)
        elif flag.startswith("--"):
            waiting = flag[2:]
    if waiting is not None:
        raise words[-1].fault(f"--{waiting} has no value", "write one behind it")
    return settings


def _with_flag(settings: _Settings, flag: str, word: Item, value: str) -> _Settings:
    document, where = word.document, f"{word.place}: --{flag}"
    if flag == "device":
        line = document.lines_inside(word.path) if value == word.value else None
        within = "" if line is not None else where
        device = Document(document.name, value.encode("utf-8", "replace"), line or 0, within).read()
        return replace(settings, devices=(*settings.devices, device))
    item = Item(Document(document.name, b"", within=where), (flag,), value)
    if flag == "domain":
        return replace(settings, domain=item)
    return replace(settings, others=(*settings.others, item))

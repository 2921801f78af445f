"""The grammar of CDI names: vendor, class, device, qualified names; and what is named after them.

Two judgements are kept apart by ``strict``. False is the verdict of the runtimes. True, the default, adds one
rule of ours: a vendor or class of a single character is refused, since containerd dies of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdi.errors import CDIError, Problem, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ANNOTATION_PREFIX = "cdi.k8s.io/"

# The length of a Kubernetes annotation name behind its prefix.
_ANNOTATION_NAME_LENGTH = 63

_VENDOR_OR_CLASS = re.compile(r"[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_DEVICE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?")
_ANNOTATION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]")


@dataclass(frozen=True, slots=True, order=True)
class QualifiedName:
    """A device's full name; ``str()`` gives ``vendor/class=device``."""

    vendor: str
    class_: str
    device: str

    @property
    def kind(self) -> str:
        """The kind that the device is of: ``vendor/class``."""
        return f"{self.vendor}/{self.class_}"

    def __str__(self) -> str:
        return f"{self.vendor}/{self.class_}={self.device}"


def vendor_problem(text: str, *, strict: bool = True) -> str | None:
    """Tell why ``text`` cannot be a vendor, or None where it can."""
    return _vendor_or_class_problem("vendor", text, strict=strict)


def class_problem(text: str, *, strict: bool = True) -> str | None:
    """Tell why ``text`` cannot be a device class, or None where it can."""
    return _vendor_or_class_problem("class", text, strict=strict)


def device_problem(text: str) -> str | None:
    """Tell why ``text`` cannot be the name of a device within its kind, or None where it can."""
    if _DEVICE.fullmatch(text):
        return None
    if not text:
        return "the device name is empty"
    if not _ALPHANUMERIC.match(text):
        return f"device name {shown(text)} does not begin with a letter or digit"
    if not _ALPHANUMERIC.match(text[-1]):
        return f"device name {shown(text)} does not end with a letter or digit"
    return f"device name {shown(text)} has characters other than letters, digits, '_', '-', '.' and ':'"


def kind_problem(text: str, *, strict: bool = True) -> str | None:
    """Tell why ``text`` cannot be a kind (``vendor/class``), or None where it can."""
    vendor, class_ = split_kind(text)
    if not vendor:
        return f"kind {shown(text)} is not of the form vendor/class"
    return vendor_problem(vendor, strict=strict) or class_problem(class_, strict=strict)


def split_kind(text: str) -> tuple[str, str]:
    """Cut a kind at its first slash into vendor and class; without both, the vendor is empty and the class all."""
    vendor, slash, class_ = text.partition("/")
    return (vendor, class_) if vendor and slash and class_ else ("", text)


def split_qualified(text: str) -> tuple[str, str, str]:
    """Cut a name into vendor, class and device, unchecked; where a part is missing, the device is all of it."""
    qualifier, _, device = text.partition("=")
    vendor, class_ = split_kind(qualifier)
    if text.startswith("/") or not device or not vendor:
        return "", "", text
    return vendor, class_, device


def qualified_problem(text: str, *, strict: bool = True) -> str | None:
    """Tell why ``text`` is not a fully qualified device name, or None where it is."""
    vendor, class_, device = split_qualified(text)
    if not vendor:
        return f"{shown(text)} is not of the form vendor/class=device"
    return vendor_problem(vendor, strict=strict) or class_problem(class_, strict=strict) or device_problem(device)


def parse_qualified(text: str, *, strict: bool = True) -> QualifiedName:
    """Return the parts of ``vendor/class=device``.

    Raises:
        CDIError: the text is not such a name.
    """
    if problem := qualified_problem(text, strict=strict):
        raise CDIError(Problem("", problem, "write it like acme.com/modem=modem0"))
    return QualifiedName(*split_qualified(text))


def spec_name(vendor: str, class_: str) -> str:
    """Return the usual file name, without extension, of a vendor's spec of one class."""
    return f"{vendor}-{class_}"


def transient_spec_name(vendor: str, class_: str, transient_id: str) -> str:
    """Return the file name, without extension, of a spec that lives as long as something named ``transient_id``."""
    return f"{spec_name(vendor, class_)}_{transient_id.replace('/', '_')}"


def annotation_key(plugin: str, device_id: str) -> str:
    """Return the key of a container annotation by which a plugin asks for CDI devices.

    ``plugin`` is of the form ``vendor.class``; ``device_id`` tells several requests of one plugin apart.

    Raises:
        CDIError: no valid annotation key comes of them.
    """
    name = f"{plugin}_{device_id.replace('/', '_')}"
    if not plugin or not device_id:
        message = "an annotation needs the name of a plugin and the id of a device"
    elif len(name.encode(errors="replace")) > _ANNOTATION_NAME_LENGTH:
        message = f"annotation name {shown(name)} is longer than {_ANNOTATION_NAME_LENGTH} bytes"
    elif not _ANNOTATION_NAME.fullmatch(name):
        message = (
            f"annotation name {shown(name)} is not made of letters, digits, '_', '-' and '.' between alphanumerics"
        )
    else:
        return ANNOTATION_PREFIX + name
    raise CDIError(Problem("", message))


def annotation_value(devices: Iterable[str]) -> str:
    """Return the value of a container annotation that asks for these qualified names.

    Raises:
        CDIError: one is not a qualified name.
    """
    return ",".join(str(parse_qualified(device, strict=False)) for device in devices)


def annotate(annotations: Mapping[str, str], plugin: str, device_id: str, devices: Iterable[str]) -> dict[str, str]:
    """Return the annotations with a request for ``devices`` added.

    Raises:
        CDIError: the key or a device name is invalid, or the key is there already.
    """
    key = annotation_key(plugin, device_id)
    if key in annotations:
        raise CDIError(Problem(key, "the annotation is there already", "use another device id"))
    return {**annotations, key: annotation_value(devices)}


def parse_annotations(annotations: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[QualifiedName, ...]]:
    """Return the keys of all CDI requests among ``annotations``, and the devices that they ask for, in order.

    Raises:
        CDIError: a request names something that is not a qualified device name.
    """
    keys = tuple(key for key in annotations if key.startswith(ANNOTATION_PREFIX))
    requests = [(key, text) for key in keys for text in annotations[key].split(",")]
    problems = [Problem(key, problem) for key, text in requests if (problem := qualified_problem(text, strict=False))]
    if problems:
        raise CDIError(*problems)
    return keys, tuple(QualifiedName(*split_qualified(text)) for _, text in requests)


def _vendor_or_class_problem(what: str, text: str, *, strict: bool) -> str | None:
    if _VENDOR_OR_CLASS.fullmatch(text):
        if strict and len(text) == 1:
            return f"{what} {shown(text)} has a single character, which crashes containerd"
        return None
    if not text:
        return f"the {what} is empty"
    if not (_ALPHANUMERIC.match(text) and text[0].isalpha()):
        return f"{what} {shown(text)} does not begin with a letter"
    if not _ALPHANUMERIC.match(text[-1]):
        return f"{what} {shown(text)} does not end with a letter or digit"
    return f"{what} {shown(text)} has characters other than letters, digits, '_', '-' and '.'"

"""Templates such as ``{ID_SERIAL_SHORT|sysname}``: parsed once, filled from a device's facts."""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLAIN = ("sysname", "number", "subsystem", "driver", "major", "minor", "link", "serial")
USB = tuple(f"usb:{fact}" for fact in ("vendor", "product", "serial", "port", "interface"))
PCI = tuple(f"pci:{fact}" for fact in ("address", "vendor", "device", "class"))
IN_EDITS = ("name", "devnode")
NAME_LIMIT = 56  # leaves room for a share's "::742" in the 63 characters of a kubelet device id
COMPONENT_LIMIT = 120  # bytes; two of them and some fixed text fit in the 255 of a file name

_PROPERTY = re.compile(r"[A-Z][A-Z0-9_]*")
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.:-]+")


class TemplateError(ValueError):
    """A template that cannot be understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Choice:
    """``{A|B}``: the first of these fields that is there."""

    fields: tuple[str, ...]

    def __str__(self) -> str:
        return "{" + "|".join(self.fields) + "}"


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: fixed text and choices, in order."""

    text: str
    pieces: tuple[str | Choice, ...]

    @property
    def fields(self) -> frozenset[str]:
        """Every field that the template may ask for."""
        return frozenset(field for piece in self.pieces if isinstance(piece, Choice) for field in piece.fields)

    @property
    def last_resort(self) -> str:
        """The field that is asked for only where those before it are not there; empty without."""
        ends = (piece.fields[-1] for piece in self.pieces if isinstance(piece, Choice) and len(piece.fields) > 1)
        return next(ends, "")

    def fill(self, fact: Callable[[str], str | None], clean: Callable[[str], str] = str) -> str | Choice:
        """Fill in the facts, each passed through ``clean``; returns the first choice for which nothing is there."""
        filled = []
        for piece in self.pieces:
            if isinstance(piece, Choice):
                value = next((found for found in map(fact, piece.fields) if found and not found.isspace()), None)
                if value is None:
                    return piece
                filled.append(clean(value))
            else:
                filled.append(piece)
        return "".join(filled)


def parse(text: str, *, extra: tuple[str, ...] = ()) -> Template:
    """Parse a template; ``extra`` names the fields that are known here besides the general ones.

    Raises:
        TemplateError: it is empty, a brace is not closed, or a field is unknown (with the nearest known one).
    """
    if not text:
        raise TemplateError("it is empty")
    return Template(text, tuple(_pieces(text, extra)))


def _pieces(text: str, extra: tuple[str, ...]) -> Iterator[str | Choice]:
    for piece in _PIECE.finditer(text):
        if piece[1] is not None:
            yield Choice(tuple(_known(field.strip(), extra) for field in piece[1].split("|")))
        elif piece[0] in ("{", "}"):
            raise TemplateError(
                f"{piece[0]!r} at character {piece.start() + 1} has no partner (write it twice to mean itself)"
            )
        else:
            yield piece[0].replace("{{", "{").replace("}}", "}")


def _known(field: str, extra: tuple[str, ...]) -> str:
    known = (*PLAIN, *USB, *PCI, *extra)
    if _PROPERTY.fullmatch(field) or field in known or (field.startswith("attr:") and is_attribute(field[5:])):
        return field
    close = difflib.get_close_matches(field, (*known, "attr:"), 1)
    advice = (
        f"did you mean {close[0]!r}"
        if close
        else f"known are {', '.join(known)}, attr:PATH and udev properties in capitals"
    )
    raise TemplateError(f"{{{field}}} is not a known field ({advice})")


def is_attribute(path: str) -> bool:
    """Tell whether ``path`` can name a sysfs attribute of a device: it does not lead out of the device's directory."""
    return bool(path) and not path.startswith("/") and ".." not in path.split("/") and "\0" not in path


def device_name(raw: str) -> str:
    """Turn what a device says of itself into a CDI device name of at most :data:`NAME_LIMIT` characters.

    Runs of characters outside CDI's grammar become ``-``, ``::`` becomes ``:`` (it separates shares), a name
    that is too long ends in a hash of the whole, and one of which nothing is left is that hash.
    """
    name = re.sub(":{2,}", ":", _FORBIDDEN.sub("-", raw[: 4 * NAME_LIMIT])).strip("-_.:")
    if name and len(name) <= NAME_LIMIT and len(raw) <= 4 * NAME_LIMIT:
        return name
    return f"{name[: NAME_LIMIT - 13].rstrip('-_.:')}-{_digest(raw)}".lstrip("-")


def plain_text(raw: str) -> str:
    """Turn what a device says of itself into text of at most 4,096 characters.

    Those that control, break lines or turn the direction of what is shown become ``-``.
    """
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+", "-", raw[:4096])


def path_component(raw: str) -> str:
    """Turn what a device says of itself into one harmless component of a path, at most :data:`COMPONENT_LIMIT` bytes.

    Runs of characters that do not show become ``-``; what is too long ends in a hash of the whole.
    """
    start = raw[: 2 * COMPONENT_LIMIT]
    shown = "".join(character if character.isprintable() and character != "/" else "\0" for character in start)
    component = re.sub("\0+", "-", shown)
    if len(component.encode()) > COMPONENT_LIMIT or len(start) < len(raw):
        component = f"{component.encode()[: COMPONENT_LIMIT - 13].decode(errors='ignore')}-{_digest(raw)}"
    return "_" if component in ("", ".", "..") else component


def _digest(raw: str) -> str:
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:12]

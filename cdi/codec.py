"""Bytes to :class:`~cdi.model.Spec` and back: what runtimes read in a spec file, to the letter, and one way to write.

Runtimes put ``.json`` and ``.yaml`` through the same YAML 1.1 decoder, so the extension plays no role here. Plain
JSON is read by the JSON parser wherever that provably comes to the same; :mod:`cdi.text` reads everything else.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from cdi import wire
from cdi.errors import CDIError, Problem

if TYPE_CHECKING:
    from cdi.model import Spec

# The largest file that is read: a spec of 10,000 devices has about 2 MB.
MAX_SIZE = 16 * 1024 * 1024

# What JSON and YAML read differently, or only one of them reads. Control characters, line breaks beyond ASCII, marks:
_YAML_CHARACTERS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
# an escaped slash, escaped surrogates, a line break or a long gap between a key and its colon. Gaps are looked at from
# where they begin, and once: they may be as long as the file.
_YAML_SYNTAX = re.compile(
    r"\\/|\\u[dD][89a-fA-F]|(?<![ \t\r\n])(?=[ \t\r\n])(?:[ \t]*+[\r\n][ \t\r\n]*+|[ \t]{64}[ \t]*+):"
)
# a key that may be longer, once escaped, than YAML allows.
_LONG_KEY = 160
_KEY_LENGTH = 1024

# Characters of the text that are not written as they are: only plain ASCII needs no thought, and what lies beyond the
# basic plane cannot be escaped, since YAML knows no surrogate pairs.
_ESCAPED = re.compile("[\x7f-\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class NotPlainError(ValueError):
    """The text is not JSON that YAML reads alike."""


def decode(data: bytes, where: str = "") -> Spec:
    """Return the spec that a file's bytes say to runtimes; it is not yet checked by :mod:`cdi.validation`.

    ``where`` names the file in problems.

    Raises:
        CDIError: runtimes cannot read it either, or it is beyond the limits that keep reading cheap.
    """
    findings = wire.Findings()
    spec = wire.read(document(data, where), findings)
    if spec is None:
        raise CDIError(*(problem.within(where) if where else problem for problem in findings.faults))
    return spec


def document(data: bytes, where: str = "") -> wire.Tree:
    """Return the plain values that a file's bytes say: what :func:`cdi.schema.check` judges. None for an empty file.

    Raises:
        CDIError: the text is neither JSON nor YAML as runtimes read it, or beyond the limits.
    """
    try:
        return plain_json(data, where)
    except NotPlainError:
        from cdi.text import tree

        return tree.read(data, where).tree


def plain_json(data: bytes, where: str = "") -> wire.Tree:
    """Return what a JSON object says, if its text means the same in YAML.

    Raises:
        NotPlainError: it is no such text; nothing is said about whether YAML reads it.
        CDIError: there is more of it than is read.
    """
    if len(data) > MAX_SIZE:
        _refuse(where, f"the file has {len(data)} bytes", f"at most {MAX_SIZE} are read")
    try:
        text = data.decode("ascii" if data.isascii() else "utf-8")
        if not text.lstrip(" \n\r").startswith("{") or not text.rstrip(" \n\r").endswith("}"):
            raise NotPlainError
        if _YAML_CHARACTERS.search(text) or _YAML_SYNTAX.search(text):
            raise NotPlainError
        return json.loads(text, object_pairs_hook=_members, parse_float=_finite, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # also integers of more digits than Python converts
        raise NotPlainError from error


def to_document(spec: Spec) -> dict[str, Any]:
    """Return a spec as plain values under the names of SPEC.md; absent members are left out."""
    return wire.write(spec)


def encode(spec: Spec) -> bytes:
    """Return a spec as the bytes of a JSON file: the same bytes for the same spec, one line for each device.

    Raises:
        CDIError: a text in it cannot stand in a file (half of a surrogate pair, an annotation key beyond YAML's limit).
    """
    tree = wire.write(spec)
    _refuse_long_keys(spec)
    members = []
    for name, value in tree.items():
        if name == "devices" and value:
            devices = ",\n".join(f"    {_line(device)}" for device in value)
            members.append(f'  "devices": [\n{devices}\n  ]')
        else:
            members.append(f'  "{name}": {_line(value)}')
    return ("{\n" + ",\n".join(members) + "\n}\n").encode()


def _refuse_long_keys(spec: Spec) -> None:
    for keys in (spec.annotations, *(device.annotations for device in spec.devices)):
        if any(len(json.dumps(key)) > _KEY_LENGTH for key in keys):
            fact = f"an annotation's key is longer than {_KEY_LENGTH} characters once written"
            raise CDIError(Problem("", fact, "runtimes could not read it; shorten it"))


def _line(tree: wire.Tree) -> str:
    line = json.dumps(tree)
    return _beyond_basic_plane(tree) if "\\ud" in line else line


def _beyond_basic_plane(tree: wire.Tree) -> str:
    line = json.dumps(tree, ensure_ascii=False)
    if _SURROGATE.search(line):
        raise CDIError(Problem("", "a text has half of a surrogate pair, which no file can hold"))
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs) or (members and len(max(members, key=len)) > _LONG_KEY):
        raise NotPlainError
    return members


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:  # which YAML keeps as text
        raise NotPlainError
    return number


def _no_constant(_: str) -> NoReturn:
    raise NotPlainError


def _refuse(where: str, message: str, hint: str) -> NoReturn:
    raise CDIError(Problem(where, message, hint))

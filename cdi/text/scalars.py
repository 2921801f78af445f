"""Scalars to plain values: which texts are numbers, truth values and null in the YAML that runtimes read."""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

from cdi.text.characters import TextError

if TYPE_CHECKING:
    from cdi.text.nodes import Node

Scalar: TypeAlias = str | int | float | bool | None

_TAGS = "tag:yaml.org,2002:"
MERGE_TAG = f"{_TAGS}merge"
_STR, _BOOL, _INT, _FLOAT = (f"{_TAGS}{name}" for name in ("str", "bool", "int", "float"))
_NULL, _TIMESTAMP, _BINARY = (f"{_TAGS}{name}" for name in ("null", "timestamp", "binary"))
_RESOLVED_TAGS = {"", _STR, _BOOL, _INT, _FLOAT, _NULL, _TIMESTAMP}

_WORDS: dict[str, tuple[str, Scalar]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), (_BOOL, True)),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), (_BOOL, False)),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (_NULL, None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (_FLOAT, math.nan)),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), (_FLOAT, math.inf)),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), (_FLOAT, -math.inf)),
    "<<": (MERGE_TAG, "<<"),
}
_NUMBER_STARTS = "+-0123456789"

# An integer after the underscores are gone, by base.
_INTEGERS = (
    (16, re.compile("([+-]?)0[xX]([0-9a-fA-F]+)")),
    (8, re.compile("([+-]?)0[oO]?([0-7]+)")),
    (2, re.compile("([+-]?)0[bB]([01]+)")),
    (10, re.compile("([+-]?)(0|[1-9][0-9]*)")),
)
_FLOATING = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DOTTED = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_TIME = re.compile(
    r"(?:[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?(?:Z|[+-]([0-9]{2}):([0-9]{2}))"
    r"| +([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?)?"
)
_NO_CHARACTER = re.compile("[\udc80-\udcff]")  # a byte that Python could not decode
_BASE64 = re.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")

# No 64-bit number has more digits than this, in any base, leading zeros apart.
_DIGITS = 64


def value(node: Node) -> Scalar:
    """Return what a scalar node says.

    Raises:
        TextError: the node's tag does not fit its text.
    """
    if not node.tag and not node.is_plain:
        return node.value
    if node.tag == _BINARY:
        return _binary(node)
    if node.tag not in _RESOLVED_TAGS or node.tag == _STR:
        return node.value
    tag, found = _resolved(node.value)
    if node.tag == _TIMESTAMP and _is_timestamp(node.value):
        return node.value
    if node.tag == _FLOAT and tag == _INT and isinstance(found, int) and found < 2**63:
        return float(found)
    if node.tag not in {"", tag}:
        raise TextError(f"{node.value[:40]!r} is not of its tag {node.tag}", node.position)
    return found


def _resolved(text: str) -> tuple[str, Scalar]:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == "." and _DOTTED.fullmatch(text):
        return _floating(text, text)
    if text[0] in _NUMBER_STARTS:
        return _number(text)
    return _STR, text


def _number(text: str) -> tuple[str, Scalar]:
    plain = text.replace("_", "")
    for base, pattern in _INTEGERS:
        if match := pattern.fullmatch(plain):
            digits = match[2].lstrip("0") or "0"
            if len(digits) <= _DIGITS and _fits(number := int(digits, base), match[1]):
                return _INT, -number if match[1] == "-" else number
    return _floating(plain, text) if _FLOATING.fullmatch(plain) else (_STR, text)


def _fits(number: int, sign: str) -> bool:
    limit = {"": 2**64 - 1, "+": 2**63 - 1, "-": 2**63}[sign]
    return number <= limit


def _floating(number: str, text: str) -> tuple[str, Scalar]:
    found = float(number)
    return (_STR, text) if math.isinf(found) else (_FLOAT, found)


def _is_timestamp(text: str) -> bool:
    day = _DATE.match(text)
    time = day and _TIME.fullmatch(text, day.end())
    if not day or not time:
        return False
    hour, minute, second = (int(time[group] or time[group + 5] or 0) for group in (1, 2, 3))
    try:
        # Year 0 is one to Go and none to Python; it is a leap year, as 4 is.
        date(int(day[1]) or 4, int(day[2]), int(day[3]))
    except ValueError:
        return False
    return hour < 24 and minute < 60 and second < 60


def _binary(node: Node) -> str:
    text = node.value.replace("\n", "").replace("\r", "")
    if not _BASE64.fullmatch(text):
        raise TextError("this is not base64, as its tag says", node.position)
    try:
        return _characters(base64.b64decode(text))
    except binascii.Error as error:
        raise TextError("this is not base64, as its tag says", node.position) from error


def _characters(data: bytes) -> str:
    """Return the characters of binary data, each byte that is of none replaced."""
    return _NO_CHARACTER.sub("\ufffd", data.decode(errors="surrogateescape"))

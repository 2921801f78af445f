"""Taking back what was changed in a file, also where others have edited it since."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Protocol

from agent.runtimes import tomltext
from agent.runtimes.tomltext import Edit, EditError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.runtimes.answers import KeyChange
    from agent.toml import Layout, Pair, Path


class Language(Protocol):
    """How a text is read: `tomltext` or `jsontext`."""

    def document(self, text: str) -> dict[str, Any]:
        """Parse a text."""

    def layout(self, text: str) -> Layout:
        """Return where everything stands in it."""


def undone(
    now: bytes | None, before: bytes | None, after: bytes, keys: Sequence[KeyChange], language: Language
) -> tuple[bytes | None, tuple[str, ...]]:
    """Return what a file should hold (``None``: it should not exist) and, in sentences, what cannot be taken back.

    ``now`` is what it holds, ``before`` and ``after`` what it held when we changed ``keys`` in it.
    """
    if now == after:
        return before, ()
    if now is None or now == before:
        return now, ()
    try:
        text = now.decode("utf-8")
        language.document(text)
    except (UnicodeDecodeError, EditError):
        return now, ("it was edited since and can no longer be understood",)
    reasons = []
    last = [key for key in keys if key.path == ("version",)]  # may go only when nothing else is left
    for key in [*(key for key in reversed(keys) if key not in last), *last]:
        text, reason = _without(text, key, language)
        if reason:
            reasons.append(reason)
    if before is None and not language.document(text) and not text.strip():
        return None, tuple(reasons)
    return text.encode(), tuple(reasons)


def _without(text: str, key: KeyChange, language: Language) -> tuple[str, str]:
    """Return the text without one change, or as it is with the reason."""
    document, name = language.document(text), tomltext.spelled(key.path)
    value = tomltext.lookup(document, key.path)
    if value is None or (key.added is not None and (not isinstance(value, list) or key.added not in value)):
        return text, ""  # somebody has taken it back already
    where = language.layout(text)
    pair = where.pairs.get(key.path)
    if pair is None:
        return text, f"{name} is written in another way since"
    if key.path == ("version",) and set(document) != {"version"}:
        return text, "version stays, since what others have added relies on it"
    if key.added is not None:
        wanted = _replaced(document, key.path, [one for one in value if one != key.added])
        edits = iter((_item_out(where, pair, key.path, value.index(key.added)),))
        return _first(text, edits, (wanted,), name, language)
    return _key_back(text, key, where, document, language)


def _key_back(
    text: str, key: KeyChange, where: Layout, document: dict[str, Any], language: Language
) -> tuple[str, str]:
    name, pair = tomltext.spelled(key.path), where.pairs[key.path]
    replaced = Edit(*pair.value, key.after).applied(text)
    if not tomltext.same(language.document(replaced), document):
        return text, f"{name} was changed by others since"
    if key.before is not None:
        return Edit(*pair.value, key.before).applied(text), ""
    return _first(text, _ways_out(text, key, where, pair), list(_removed(document, key.path)), name, language)


def _first(
    text: str, edits: Iterator[Edit], wanted: Sequence[dict[str, Any]], name: str, language: Language
) -> tuple[str, str]:
    for edit in edits:
        result = edit.applied(text)
        try:
            found = language.document(result)
        except EditError:
            continue
        if any(tomltext.same(found, one) for one in wanted):
            return result, ""
    return text, f"{name} cannot be taken out without touching what others have written since"


def _item_out(where: Layout, pair: Pair, path: Path, index: int) -> Edit:
    spans = where.elements.get(path, [])
    if not spans:
        return Edit(*pair.value, "[]")
    if index:
        return Edit(spans[index - 1][1], spans[index][1], "")
    return Edit(spans[0][0], spans[1][0] if len(spans) > 1 else spans[0][1], "")


def _ways_out(text: str, key: KeyChange, where: Layout, pair: Pair) -> Iterator[Edit]:
    """Yield the ways to take a key out: just what was put in, what was made to hold it, its line, or it alone."""
    at = text.find(key.text) if key.text else -1
    while at >= 0:
        if at <= pair.start < at + len(key.text):
            yield Edit(at, at + len(key.text), "")
        at = text.find(key.text, at + 1)
    for depth in range(1, len(key.path) + 1):
        around = where.pairs.get(key.path[:depth])
        if around is not None and key.path[depth - 1] in key.text:
            yield from _pair_out(text, around)


def _pair_out(text: str, pair: Pair) -> Iterator[Edit]:
    start, end = text.rfind("\n", 0, pair.start) + 1, text.find("\n", pair.value[1])
    end = len(text) if end < 0 else end + 1
    if not text[start : pair.start].strip() and not text[pair.value[1] : end].strip():
        yield Edit(start, end, "")
    after = text[pair.value[1] :]
    comma = len(after) - len(after.lstrip(" \t\r\n,"))
    yield Edit(pair.start, pair.value[1] + comma, "")
    before = text[: pair.start].rstrip(" \t\r\n,")
    yield Edit(len(before), pair.value[1], "")


def _replaced(document: dict[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    result = copy.deepcopy(document)
    tomltext.lookup(result, path[:-1])[path[-1]] = value
    return result


def _removed(document: dict[str, Any], path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the document without a key, then also without each table that is empty then."""
    result = copy.deepcopy(document)
    for depth in range(len(path), 0, -1):
        del tomltext.lookup(result, path[: depth - 1])[path[depth - 1]]
        yield copy.deepcopy(result)
        if tomltext.lookup(result, path[: depth - 1]):
            return

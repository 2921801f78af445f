"""Docker: ``features.cdi`` and ``cdi-spec-dirs`` in daemon.json; everything else there stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.plan import Write
from agent.runtimes import jsontext, tomltext
from agent.runtimes.answers import DEFAULT_SPEC_DIRS, Answer, FileChange, KeyChange, Row, lists
from agent.runtimes.tomltext import EditError
from cdi.errors import Problem

if TYPE_CHECKING:
    from agent.runtimes.answers import Source, Version, Wish

CONFIG = "/etc/docker/daemon.json"
FEATURE = ("features", "cdi")
SPEC_DIRS = ("cdi-spec-dirs",)
_SINCE, _ON_SINCE = (25, 0), (28, 2)


def plan(version: Version, path: str, source: Source | None, wish: Wish) -> Answer:
    """Return what switches CDI on; ``source`` is daemon.json, ``None`` where it does not exist."""
    rows = [Row("Docker", f"{version[0]}.{version[1]}")]
    if version < _SINCE:
        fact = f"Docker {version[0]}.{version[1]} has no CDI"
        return Answer((*rows, Row("CDI", "this version has none")),
                      blocked=Problem("", fact, "install 25.0 or newer; nothing was changed"))  # fmt: skip
    if wish.place == "drop-in":
        return Answer(tuple(rows), blocked=Problem("--drop-in", "Docker has one file and no drop-ins", "leave it out"))
    rows.append(Row("configuration", path if source else f"{path} (does not exist)"))
    try:
        return _answer(version, path, source.data if source else None, wish, rows)
    except UnicodeDecodeError:
        fact = "it is not UTF-8 text"
    except EditError as error:
        fact = str(error)
    return Answer(
        tuple(rows), blocked=Problem(path, f"is left alone: {fact}", "correct it; Docker cannot read it either")
    )


def _answer(version: Version, path: str, before: bytes | None, wish: Wish, rows: list[Row]) -> Answer:
    text = (before or b"").decode("utf-8")
    document = jsontext.document(text)
    feature = tomltext.lookup(document, FEATURE)
    on = version >= _ON_SINCE if feature is None else feature is True
    if feature is False and not wish.overrule:
        return Answer(
            tuple(rows), blocked=Problem(path, "switches CDI off on purpose, which is left so", "change it there")
        )
    listed = tomltext.lookup(document, SPEC_DIRS)
    present = [str(one) for one in listed] if isinstance(listed, list) else list(DEFAULT_SPEC_DIRS)
    lacks = not lists(present, wish.spec_dir)
    default = "on by default" if version >= _ON_SINCE else "off by default"
    rows.append(Row("features.cdi", default if feature is None else str(feature).lower(), "" if on else "true",
                    "" if on else "containers get no CDI device without it"))  # fmt: skip
    will = ", ".join([*present, wish.spec_dir]) if lacks else ""
    rows.append(Row("cdi-spec-dirs", ", ".join(present) or "none", will, "our specs are there" if lacks else ""))
    if on and not lacks:
        return Answer(tuple(rows), notes=("nothing to do",))
    keys: list[KeyChange] = []
    if not on:
        text = _put(text, FEATURE, True, keys)
    if lacks:
        text = _put(text, SPEC_DIRS, [*present, wish.spec_dir], keys)
    change = FileChange(Write(path, text.encode(), before), tuple(keys))
    return Answer(tuple(rows), (change,))


def _put(text: str, path: tuple[str, ...], value: Any, keys: list[KeyChange]) -> str:
    edit = jsontext.put(text, path, value)
    was = tomltext.lookup(jsontext.document(text), path) is not None
    before = text[edit.start : edit.end] if was else None
    keys.append(KeyChange(path, jsontext.literal(value), before, None, "" if was else edit.text))
    return edit.applied(text)

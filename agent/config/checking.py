"""From documents to settings: merge, check against the model, compile; every fault is told with its place."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import types
import typing
from typing import TYPE_CHECKING, Any

from cdi.errors import Problem

from . import compiling, files
from .files import ConfigError, Source
from .model import Config
from .positions import nearest, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.toml import Path

    from .settings import Settings

_DEPTH_LIMIT = 32  # the deepest key that means anything is at 9
_INTEGERS = (-(2**63), 2**63 - 1)  # TOML's own
_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false",
          list: "a list", dict: "a table"}  # fmt: skip
_WANTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a table",
    "dataclass_type": "a table",
    "tuple_type": "a list",
}
_NO_GLOB = "is a list without a glob, which nothing could match", "name one, or leave the key out"
_FORMS = {
    "^/": "an absolute path",
    "^[rwm]{1,3}$": "made of the letters r, w and m",
    r"^(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):[0-9]{1,5}$": 'an address such as "127.0.0.1:9464" or "[::1]:9464"',
    r"^(auto|[0-9]+\.[0-9]+\.[0-9]+)$": '"auto" or a CDI version such as "0.5.0"',
    r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$": 'a time such as "100ms", "30s" or "10m"',
}


def settings_of(sources: tuple[Source, ...]) -> Settings:
    """Merge, check and compile what configuration files hold; raises `ConfigError` with all faults found."""
    merged = Merged(sources)
    problems = [merged.problem(path, message, hint) for path, message, hint in _faults(merged.document)]
    if problems:
        raise ConfigError(*sorted(set(problems), key=problems.index))
    if problems := [merged.problem(path, *_NO_GLOB) for path in _without_glob(merged.document)]:
        raise ConfigError(*problems)
    config = _adapter().validate_python(merged.document)
    settings, faults = compiling.compile_config(config, lambda path: _place(*merged.written(path)))
    if faults:
        raise ConfigError(*(merged.problem(*fault) for fault in faults))
    return dataclasses.replace(
        settings, files=tuple(source.path for source in sources if source.path != files.EMBEDDED)
    )


class Merged:
    """Several documents as one: later tables merge, later values replace, classes accumulate."""

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self.sources = sources
        self.document: dict[str, Any] = {}
        self._classes: list[tuple[Source, int]] = []
        self._presets: dict[int, Source] = {}
        for source in sources:
            _refuse_wild(source)
            self._add(source)
        self._apply_presets()

    def _add(self, source: Source) -> None:
        document = dict(source.document)
        classes = document.pop("class", [])
        _merge(self.document, document)
        before = self.document.setdefault("class", [])
        if isinstance(before, list) and isinstance(classes, list):
            self.document["class"] = before + classes
            self._classes += [(source, index) for index in range(len(classes))]
        elif isinstance(before, list):
            self.document["class"] = classes  # no list, and so a fault, which later files do not hide

    def _apply_presets(self) -> None:
        classes = self.document.get("class")
        if not isinstance(classes, list):
            return
        for index, entry in enumerate(classes):
            name = entry.get("preset") if isinstance(entry, dict) else None
            source = files.preset(name) if isinstance(name, str) else None
            if source is not None:
                start: dict[str, Any] = {}
                _merge(start, source.document["class"][0])
                _merge(start, entry)
                classes[index] = start
                self._presets[index] = source

    def origin(self, path: Path) -> tuple[Source, Path]:
        """Return the file that a path of the merged document comes from, and the path there."""
        match path:
            case ("class", int(index), *rest) if index < len(self._classes):
                source, own = self._classes[index]
                preset = self._presets.get(index)
                if (
                    preset
                    and _has(preset.document, ("class", 0, *rest))
                    and not _has(source.document, ("class", own, *rest))
                ):
                    return preset, ("class", 0, *rest)
                return source, ("class", own, *rest)
            case ("class",):
                wrong = (one for one in self.sources if not isinstance(one.document.get("class", []), list))
                return next(wrong, self.sources[-1]), path
        ends = range(len(path), 0, -1)
        holders = (source for end in ends for source in reversed(self.sources) if _has(source.document, path[:end]))
        return next(holders, self.sources[-1]), path

    def place(self, path: Path) -> str:
        """Return ``file:line:column`` of a path of the merged document."""
        return _place(*self.origin(path))

    def problem(self, path: Path, message: str, hint: str) -> Problem:
        """Return a fault of the merged document with file, line, column and key."""
        source, own = self.written(path)
        where = _place(source, own)
        return Problem(f"{where}: {spelled(own)}" if own else where, message, hint)

    def written(self, path: Path) -> tuple[Source, Path]:
        """Return as `origin`, but of a class always the user's own file: no preset is at fault, its use may be."""
        match path:
            case ("class", int(index), *rest) if index < len(self._classes):
                source, own = self._classes[index]
                return source, ("class", own, *rest)
        return self.origin(path)


def _refuse_wild(source: Source) -> None:
    """Refuse what no configuration holds, and what Python would stumble over later."""
    waiting: list[tuple[Path, Any]] = [((), source.document)]
    huge: list[Path] = []
    while waiting:
        path, value = waiting.pop()
        if len(path) > _DEPTH_LIMIT:
            raise ConfigError(files.too_deep(source.path))
        if isinstance(value, dict):
            waiting += [((*path, key), one) for key, one in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, index), one) for index, one in enumerate(value)]
        elif isinstance(value, int) and not _INTEGERS[0] <= value <= _INTEGERS[1]:
            huge.append(path)
    advice = "has more than 64 bits", "write a smaller number"
    if huge:
        raise ConfigError(*(Problem(f"{_place(source, path)}: {spelled(path)}", *advice) for path in reversed(huge)))


def _place(source: Source, path: Path) -> str:
    position = nearest(_places(source.path, source.text), path)
    return f"{source.path}:{position.line}:{position.column}" if position else source.path


@functools.lru_cache(maxsize=64)
def _places(_path: str, text: str) -> dict[Path, Any]:
    return dict(places(text))


def spelled(path: Path) -> str:
    """Write a path as one reads it: ``class[2].select[0].devnode``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[\w-]+", part) else f'"{part}"')
    return text


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            into[key] = dict(into[key])
            _merge(into[key], value)
        else:
            into[key] = value


def _has(document: Any, path: Path) -> bool:
    for part in path:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration."""
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_adapter().json_schema()}
    return described | {"title": "Configuration of cdi-sync"}


@functools.cache
def _adapter() -> Any:
    from pydantic import TypeAdapter  # 100 ms that only parsing pays

    return TypeAdapter(Config)


def _faults(document: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Check a raw document against the model; yields path, fact and advice of each fault."""
    from pydantic import ValidationError

    try:
        _adapter().validate_python(document)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            union = len(_real(fault["loc"], document)) < len(fault["loc"])
            if union and fault["loc"][-1] == "str" and isinstance(fault["input"], list):
                continue  # the branch of a union that was not meant; its other branch tells the fault
            yield _sentence(fault, document)


def _sentence(fault: Any, document: dict[str, Any]) -> tuple[Path, str, str]:
    path = _real(fault["loc"], document)
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "unexpected_keyword_argument":
        known = known_keys(path[:-1])
        close = difflib.get_close_matches(str(path[-1]), known, 1)
        return (
            path,
            "unknown key",
            f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}",
        )
    if kind == "literal_error":
        return path, f"must be {context['expected']}, not {_shown(fault['input'])}", "choose one of these"
    if kind == "string_pattern_mismatch":
        return path, f"must be {_FORMS[context['pattern']]}, not {_shown(fault['input'])}", "correct it"
    if len(path) < len(fault["loc"]):
        return (
            path,
            f"must be a glob or a list of globs, not {_kind_of(fault['input'])}",
            'write it like "a*" or ["a*", "b"]',
        )
    wanted = _WANTED.get(kind, "something else")
    advice = f"write {wanted}"
    if kind == "tuple_type" and isinstance(fault["input"], dict):
        advice = f"write [[{'.'.join(part for part in path if isinstance(part, str))}]], in two brackets"
    return path, f"must be {wanted}, not {_kind_of(fault['input'])}", advice


def _real(location: tuple[str | int, ...], document: Any) -> Path:
    """Drop what pydantic adds to a location to name the branch of a union it tried."""
    path: Path = ()
    for part in location:
        if (
            isinstance(part, str)
            and part in ("str", "tuple[str, ...]")
            and not (isinstance(document, dict) and part in document)
        ):
            continue
        path = (*path, part)
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            document = None
    return path


def _without_glob(document: dict[str, Any]) -> Iterator[Path]:
    """Find the empty lists in selectors; to the model they would be keys that are not there, and fit every device."""
    for index, entry in enumerate(document["class"]):
        for key in ("select", "exclude"):
            for number, selector in enumerate(entry.get(key, ())):
                yield from _empty_lists(("class", index, key, number), selector)


def _empty_lists(path: Path, table: dict[str, Any]) -> Iterator[Path]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _empty_lists((*path, key), value)
        elif value == []:
            yield (*path, key)


def _kind_of(value: object) -> str:
    return _NAMES.get(type(value), "a date or time")


def _shown(value: object) -> str:
    return repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."


def known_keys(path: Path) -> list[str]:
    """Name the keys that may stand in the table at ``path``, in the model's order."""
    model: Any = Config
    for part in path:
        if isinstance(part, str) and dataclasses.is_dataclass(model):
            model = _field_type(model, part)
    return [_alias(field) for field in dataclasses.fields(model)] if dataclasses.is_dataclass(model) else []


def _alias(field: dataclasses.Field[Any]) -> str:
    return str(field.metadata.get("alias", field.name))


def _field_type(model: Any, key: str) -> Any:
    hints = typing.get_type_hints(model)
    for field in dataclasses.fields(model):
        if _alias(field) == key:
            hint = hints[field.name]
            if typing.get_origin(hint) is tuple or isinstance(hint, types.UnionType):
                return typing.get_args(hint)[0]
            return hint
    return None

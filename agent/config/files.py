"""Configuration files: which there are, whether they may be trusted, and their text."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from cdi.errors import CDIError, Problem

from . import places

EMBEDDED = "built-in default"
SIZE_LIMIT = 4 * 1024 * 1024
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class ConfigError(CDIError):
    """A configuration cannot be used; ``problems`` says why, all that could be found at once."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file: where it is, its text, and the document that the text holds."""

    path: str
    text: str = field(repr=False)
    document: dict[str, Any] = field(repr=False)


def read(explicit: str | None, root: str | None = None) -> tuple[Source, ...]:
    """Read all configuration files, with ``root`` those of the image there.

    Without any, it is the default that comes with this program.

    Raises:
        ConfigError: one is missing, unreadable, writable by others, too large, or not TOML.
    """
    try:
        found = places.paths(explicit, root)
    except OSError as error:
        raise ConfigError(_unreadable(error.filename or places.DROP_INS, error)) from None
    if not found:
        text = (resources.files("agent.presets") / "default.toml").read_text("utf-8")
        return (parse(EMBEDDED, text),)
    return tuple(parse(path, _text(path)) for path in found)


def preset(name: str) -> Source | None:
    """Return the built-in class of that name."""
    if name not in preset_names():
        return None
    text = (resources.files("agent.presets") / "classes" / f"{name}.toml").read_text("utf-8")
    return parse(f"preset {name}", text)


def preset_names() -> tuple[str, ...]:
    """Name the built-in classes, sorted."""
    entries = (resources.files("agent.presets") / "classes").iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")))


def parse(path: str, text: str) -> Source:
    """Parse TOML.

    Raises:
        ConfigError: it is not TOML; ``where`` has the line and the column.
    """
    try:
        return Source(path, text, tomllib.loads(text))
    except RecursionError:
        problem = too_deep(path)
    except ValueError as error:  # TOMLDecodeError, and int()'s limit on digits
        problem = _syntax(path, text, str(error))
    raise ConfigError(problem)


def glance(path: str) -> dict[str, Any]:
    """Return the document in a file, whoever may have written it: to look at, not to act on.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file, too large, or not TOML.
    """
    with open(path, "rb", opener=_opened) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a plain file")
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise ValueError("too large")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _opened(path: str, flags: int) -> int:
    """Open for `open`, waiting for nobody at a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def too_deep(path: str) -> Problem:
    """Return the problem of a file with tables in tables in tables."""
    return Problem(path, "is nested too deeply to be a configuration", "write it flat")


def _syntax(path: str, text: str, message: str) -> Problem:
    at = _AT.search(message)
    fact = message[: at.start()] if at else message
    end = f"{path}:{text.count(chr(10)) + 1}"
    where = path if not at else f"{path}:{at[1]}:{at[2]}" if at[1] else end
    return Problem(where, f"this is not TOML: {fact[:1].lower()}{fact[1:]}", "correct it; nothing was changed")


def _text(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise ConfigError(_unreadable(path, error)) from None
    try:
        _refuse_unless_private(path, descriptor)
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise ConfigError(_unreadable(path, error)) from None
    finally:
        os.close(descriptor)
    if len(content) > SIZE_LIMIT:
        raise ConfigError(Problem(path, "is larger than 4 MiB", "this is hardly a configuration; name another file"))
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(Problem(f"{path}:{line}", "is not UTF-8 text", "save it as UTF-8")) from None


def _unreadable(path: str, error: OSError) -> Problem:
    hint = {
        FileNotFoundError: "name a file that exists, or leave --config out for the standard ones",
        PermissionError: "run as a user who may read it",
    }.get(type(error), "see to the file and its disk")
    return Problem(path, f"cannot be read: {(error.strerror or str(error)).lower()}", hint)


def _refuse_unless_private(path: str, descriptor: int) -> None:
    """Refuse a file that somebody else could have written: its content decides what containers may open."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(Problem(path, "is not a regular file", "name a file"))
    if os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
        return
    directory = os.path.dirname(os.path.realpath(path))
    for place, facts in ((path, status), (directory, os.stat(directory))):
        if facts.st_uid not in (0, os.geteuid()):
            raise ConfigError(
                Problem(place, f"belongs to user {facts.st_uid}, who could change what containers get",
                        f"give it to the user who runs this: chown {os.geteuid()} {place}")
            )  # fmt: skip
        if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ConfigError(
                Problem(place, f"can be written by others (mode {stat.S_IMODE(facts.st_mode):04o})",
                        f"take that away: chmod go-w {place}")
            )  # fmt: skip

"""What an imported configuration takes, of devices that are only named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.config.checking import settings_of
from agent.config.files import ConfigError, parse
from agent.importers.formats import imported
from agent.selection import takes
from tests.agent.fakes import FakeDevice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.config.settings import DeviceClass


def toml(form: str, text: str) -> str:
    return imported(form, "file", text.encode()).text


def body(form: str, text: str) -> str:
    """The classes alone, without comments."""
    lines = toml(form, text).partition("version = 1\n")[2].splitlines()
    return "\n".join(line.partition("  #")[0] for line in lines if line and not line.startswith("#"))


def warnings(form: str, text: str) -> list[str]:
    """What is said aloud, but for the kubelet, of which `test_formats` tells."""
    said = imported(form, "file", text.encode()).warnings
    return [str(warning) for warning in said if "kubelet" not in warning.message]


def fault(form: str, text: str | bytes) -> str:
    """The error that a file is, or nothing."""
    try:
        imported(form, "file", text.encode() if isinstance(text, str) else text)
    except ConfigError as error:
        return "\n".join(map(str, error.problems))
    return ""


def classes(form: str, text: str) -> dict[str, DeviceClass]:
    return {one.kind: one for one in settings_of((parse("imported", toml(form, text)),)).classes}


def taken(one: DeviceClass, paths: Iterable[str]) -> set[str]:
    return {path for path in paths if takes(one, FakeDevice(node=path))}

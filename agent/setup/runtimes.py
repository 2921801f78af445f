"""The runtimes that can be set up."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from agent.runtimes import jsontext, tomltext

if TYPE_CHECKING:
    from agent.runtimes.undo import Language
    from agent.setup.targets import Options, Target

_FOUND_BY = {
    "containerd": ("containerd", "target"),
    "crio": ("drop_ins", "crio"),
    "docker": ("docker", "target"),
    "podman": ("drop_ins", "podman"),
}


def target(options: Options) -> Target:
    """Find the runtime that the options name; raises `SetupError`."""
    module, function = _FOUND_BY[options.runtime]
    found: Target = getattr(import_module(f"agent.setup.{module}"), function)(options)
    return found


def language(runtime: str) -> Language:
    """Return how the files of a runtime are read."""
    return jsontext if runtime == "docker" else tomltext

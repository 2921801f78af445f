"""The runtimes that can be set up."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from agent.runtimes import jsontext, tomltext

if TYPE_CHECKING:
    from agent.runtimes.undo import Language
    from agent.setup.targets import Options, Target

NAMES = ("containerd", "crio", "docker", "podman")


def target(options: Options) -> Target:
    """Find the runtime that the options name; raises `SetupError`."""
    found: Target = import_module(f"agent.setup.{options.runtime}").target(options)
    return found


def language(runtime: str) -> Language:
    """Return how the files of a runtime are read."""
    return jsontext if runtime == "docker" else tomltext

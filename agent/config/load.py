"""The configuration of this node, or of an image: read, checked, compiled, and completed with what the node says."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from agent import image
from cdi.errors import Problem

from . import files, runtime
from .checking import settings_of
from .files import ConfigError

if TYPE_CHECKING:
    from .settings import Settings


def load(
    explicit: str | None, *, spec_dir: str | None = None, state_dir: str | None = None, root: str | None = None
) -> Settings:
    """Read, check and compile the configuration; the directories given here replace the configured ones.

    With ``root`` all paths, also those given here, are those of the image there; the directories that are returned
    are this machine's.

    Raises:
        ConfigError: something is wrong; all faults that could be found at once.
    """
    settings = settings_of(files.read(explicit, root))
    return dataclasses.replace(
        settings,
        max_cdi_version=_limit(settings.max_cdi_version, root),
        spec_dir=_directory(spec_dir or settings.spec_dir, root),
        state_dir=_directory(state_dir or settings.state_dir, root),
    )


def _limit(wanted: str | None, root: str | None) -> str | None:
    """Return the newest CDI version to write. An image may meet any runtime: this machine's says nothing of it."""
    return runtime.limit() if wanted is None and root is None else wanted


def _directory(path: str, root: str | None) -> str:
    if root is None:
        return os.path.abspath(path)
    try:
        return image.inside(root, path)
    except OSError as error:
        problem = Problem(path, f"cannot be followed in the image: {(error.strerror or str(error)).lower()}",
                          "see to the links on the way to it")  # fmt: skip
        raise ConfigError(problem) from None

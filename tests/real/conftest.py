"""Lets these tests have their plugin even when no conftest above asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_PLUGIN = "tests.real.plugin"


def pytest_configure(config: pytest.Config) -> None:
    """Load the plugin, once."""
    if not config.pluginmanager.has_plugin(_PLUGIN):
        config.pluginmanager.import_plugin(_PLUGIN)

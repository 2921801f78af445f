"""Pure planners: what a container runtime's configuration says now and its version, to what must change and why.

Nothing here reads or writes: the texts come in as bytes, the changes go out as values, which `agent.setup` applies.
"""

from __future__ import annotations


def fate(runtime: str) -> str:
    """Say what becomes of running containers when a runtime's daemon is restarted."""
    return "its containers stop, unless live-restore is set" if runtime == "docker" else "running containers stay"

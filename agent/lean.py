"""What the resident agent does without: OpenSSL, which the standard library brings along wherever it is there."""

from __future__ import annotations

import importlib
import sys


def import_asyncio() -> None:
    """Import asyncio, if that has not been done, without TLS: 4 MiB that nobody here uses.

    asyncio is made for a Python that was built without it. Whoever imports ``ssl`` later gets it.
    """
    _import("asyncio", without="ssl")


def import_hashlib() -> None:
    """Import hashlib, if that has not been done, without OpenSSL: 3 MiB for hashes that Python has itself."""
    _import("hashlib", without="_hashlib")


def _import(name: str, without: str) -> None:
    if without in sys.modules or name in sys.modules:
        return
    sys.modules[without] = None  # type: ignore[assignment] # this is how an import is made to fail
    try:
        importlib.import_module(name)
    finally:
        del sys.modules[without]

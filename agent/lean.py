"""What the resident agent does without: asyncio, as every event loop here needs it, brings the TLS library along."""

from __future__ import annotations

import importlib
import sys


def import_asyncio() -> None:
    """Import asyncio, if that has not been done, without TLS: 4 MiB that nobody here uses.

    asyncio is made for a Python that was built without it. Whoever imports ``ssl`` later gets it.
    """
    if "ssl" in sys.modules or "asyncio" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment] # this is how an import is made to fail
    try:
        importlib.import_module("asyncio")
    finally:
        del sys.modules["ssl"]

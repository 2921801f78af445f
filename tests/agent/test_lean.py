"""What the agent leaves out of its memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agent.site import wait_health

if TYPE_CHECKING:
    from tests.agent.site import Site


@pytest.mark.root
def test_an_agent_that_serves_a_kubelet_has_no_openssl_no_parser_and_no_grpc_library(site: Site) -> None:
    site.node("a")
    with site.running() as (kubelet, agent):
        wait_health(kubelet, {"a": True})
        site.configure(site.a_class(kubernetes="shares = 2"))  # is read in a child
        wait_health(kubelet, {"a": True, "a::1": True})
        maps = Path(f"/proc/{agent.process.pid}/maps").read_text()
    assert "_socket" in maps  # what is looked for would be seen
    assert not re.findall(r"\S*/(?:lib(?:ssl|crypto)|_ssl|_hashlib|cygrpc|_pydantic_core)\S*", maps)


def said(program: str) -> str:
    """What a Python of its own prints."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def test_asyncio_comes_without_tls_and_works() -> None:
    program = """
import sys
from agent.lean import import_asyncio
import_asyncio()
import asyncio
async def work():
    return await (await asyncio.create_subprocess_exec("true")).wait()
print("ssl" in sys.modules, asyncio.run(work()))
"""
    assert said(program) == "False 0"


def test_whoever_imports_tls_later_gets_it() -> None:
    twice = "from agent.lean import import_asyncio; import_asyncio(); import_asyncio()"
    assert said(f"{twice}; import ssl; print(ssl.SSLContext)") == "<class 'ssl.SSLContext'>"


@pytest.mark.parametrize("first", ["ssl", "asyncio"])
def test_what_was_there_before_stays(first: str) -> None:
    program = f"""
import sys, {first}
before = sys.modules.get("ssl")
from agent.lean import import_asyncio
import_asyncio()
print(before is not None and sys.modules["ssl"] is before)
"""
    assert said(program) == "True"

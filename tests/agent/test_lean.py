"""What the agent leaves out of its memory."""

from __future__ import annotations

import re
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

"""What a running container runtime says of itself: the CRI call Status, verbose.

Only two fields of two messages matter, so they are written and read here one by one instead of by generated stubs
(k8s.io/cri-api, pkg/apis/runtime/v1: StatusRequest.verbose = 1, StatusResponse.info = 2, a map of strings).
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from agent.rpc import client, protobuf
from agent.rpc.messages import Code, RpcError

_VERBOSE = protobuf.flag(1, True)
_STATUS = "/runtime.v1.RuntimeService/Status"


class NoAnswerError(Exception):
    """The daemon gave no answer; the message says why.

    ``absent``: it answers, but has no CRI; ``unable``: this user may not ask it.
    """

    def __init__(self, message: str, *, absent: bool = False, unable: bool = False) -> None:
        super().__init__(message)
        self.absent = absent
        self.unable = unable


def config(socket: str, seconds: float = 5.0) -> dict[str, Any]:
    """Return the CRI configuration in force in the daemon at a socket. To be called where no event loop runs.

    Raises:
        NoAnswerError: it does not run, has no CRI, or may not be asked.
    """
    if not os.path.exists(socket):
        raise NoAnswerError(f"nothing listens at {socket}")
    if not os.access(socket, os.W_OK):
        raise NoAnswerError(f"only root may ask at {socket}", unable=True)
    try:
        answer = asyncio.run(client.call(socket, _STATUS, _VERBOSE, seconds))
    except RpcError as error:
        absent = error.code == Code.UNIMPLEMENTED
        raise NoAnswerError("its CRI plugin is off" if absent else "it does not answer", absent=absent) from None
    return parse(answer)


def parse(answer: bytes) -> dict[str, Any]:
    """Return the configuration out of a StatusResponse; empty where it has none or is damaged."""
    try:
        for number, value in protobuf.fields(answer):
            entry = dict(protobuf.fields(protobuf.as_bytes(value))) if number == 2 else {}
            if entry.get(1) == b"config":
                found = json.loads(protobuf.as_bytes(entry.get(2, b"{}")))
                return found if isinstance(found, dict) else {}
    except (ValueError, RecursionError):
        pass
    return {}

"""What the kubelet could say or have written: its checkpoint, the bytes on a connection with it, its answers."""

from __future__ import annotations

import asyncio
import atexit
import base64
import functools
import json
import os
import random
import socket
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection

from agent import checkpoint
from agent.config.settings import Resource
from agent.deviceplugin import messages
from agent.deviceplugin.serving import Served
from agent.inventory import Listed, Listing
from agent.rpc import protobuf
from agent.rpc.client import call
from agent.rpc.messages import RpcError, framed
from agent.rpc.protobuf import DamagedError
from tests.fuzz import discovering
from tests.fuzz.room import Complaints, Room, directory, heard

_REQUEST = protobuf.block(1, protobuf.text(1, "a") + protobuf.text(1, "a::1")) + protobuf.block(
    1, protobuf.text(1, "b")
)
_PREFERENCE = protobuf.block(1, protobuf.text(1, "a") + protobuf.text(1, "b") + protobuf.integer(3, 1))
_STATUS = protobuf.flag(1, value=True) + protobuf.text(2, "why")
_METHODS = (
    messages.OPTIONS,
    messages.LIST_AND_WATCH,
    messages.ALLOCATE,
    messages.PREFERRED_ALLOCATION,
    messages.GET_INFO,
)
FRAGMENTS = (
    *(b"\x00", b"\x08", b"\x0a", b"\x12", b"\x80", b"\x0a\x00", b"\x0a\xff\xff\xff\xff\x0f", b"\x00\x00\x00\x01"),
    *(b"\xff" * 9 + b"\x01", b"\xff" * 10, b"9" * 5000),
    # Whole frames: settings, a wider window, a ping, a reset.
    *(bytes.fromhex("000000040000000000"), bytes.fromhex("00000408000000000000ffffff")),
    *(bytes.fromhex("000008060000000000") + b"\0" * 8, bytes.fromhex("000004030000000001") + b"\0" * 4),
    *(b"a::99999999999999999999", b"a::-1", b"\xc2\xb2", b"\xff", b'""', b"null", b"{}", b"[]", b"-1", b"1e999", b"="),
)  # fmt: skip


def check_checkpoint(data: bytes) -> bool:
    """Read it as the kubelet's checkpoint: what pods hold, or that it cannot be told."""
    discovering.put(Path(directory(), checkpoint.NAME), data)
    try:
        held = checkpoint.read(directory())
    except checkpoint.UnreadableError:
        return False
    checkpoint.kinds(held)
    return True


def checkpoints() -> list[bytes]:
    """Return checkpoints of kubelets old and new."""
    answer = base64.b64encode(protobuf.block(5, protobuf.text(1, "acme.com/modem=a"))).decode()
    entry = {"PodUID": "p", "ContainerName": "c", "ResourceName": "acme.com/modem", "AllocResp": answer}
    documents = [
        {"PodDeviceEntries": [{**entry, "DeviceIDs": ids}], "RegisteredDevices": {"acme.com/modem": ["a"]}}
        for ids in ({"-1": ["a"], "0": ["b"]}, ["a", "b"])
    ]
    return [json.dumps({"Data": data, "Checksum": 1}).encode() for data in documents]


def check_message(data: bytes) -> bool:
    """Read it as each of the kubelet's messages."""
    accepted = 0
    for read in (messages.allocate_request, messages.preferred_allocation_request, messages.registration_status):
        try:
            read(data)
        except DamagedError:
            continue
        accepted += 1
    return accepted > 0


def check_connection(data: bytes) -> bool:
    """Send it as a peer's first bytes; returns whether an answer came. Whoever comes next must be served."""
    return _plugin().hear(data)


def check_answer(data: bytes) -> bool:
    """Let it be the answer to a call; returns whether it was one."""
    return _caller().call(data)


def connections() -> list[bytes]:
    """Return what a client sends that calls each method."""
    requests = (b"", b"", _REQUEST, _PREFERENCE, b"")
    return [_calling(method, request) for method, request in zip(_METHODS, requests, strict=True)]


def _calling(method: str, request: bytes) -> bytes:
    h2 = H2Connection(H2Configuration(client_side=True))
    h2.initiate_connection()
    headers = [(":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "localhost"),
               ("te", "trailers"), ("content-type", "application/grpc")]  # fmt: skip
    h2.send_headers(1, headers)
    h2.send_data(1, framed(request), end_stream=True)
    return h2.data_to_send()


def answers() -> list[bytes]:
    """Return what the plugin answers to those."""
    return [_plugin().answer(data) for data in connections()]


class _Plugin:
    """A resource that is served; a method that fails tells the log, and so us."""

    def __init__(self) -> None:
        self._path = os.path.join(directory(), "plugin.sock")
        self._room = Room()
        self._complaints = Complaints()
        listing = Listing("acme.com/x", Resource(name="acme.com/x", shares=2), {"a": Listed(True), "b": Listed(False)})
        self._served = Served(self._path, listing, lambda: None, lambda _word: None)
        self._room.do(self._served.server.start)
        atexit.register(self._served.server.stop)

    def hear(self, data: bytes) -> bool:
        answer = self.answer(data)
        self._complaints.none()
        if random.Random(data).random() < 0.02:
            assert _has_data(self.answer(_calling(messages.ALLOCATE, _REQUEST))), "nobody is served any more"
        return _has_data(answer)

    def answer(self, data: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(self._path)
            peer.sendall(data)
            peer.setblocking(False)
            return bytes(self._room.run(heard(peer)))


def _has_data(frames: bytes) -> bool:
    """Tell whether a message is among HTTP/2's frames."""
    while len(frames) >= 9:
        if frames[3] == 0:
            return True
        frames = frames[9 + int.from_bytes(frames[:3], "big") :]
    return False


class _Caller:
    """Calls a peer who says what he is told to, and hangs up."""

    def __init__(self) -> None:
        self._path = os.path.join(directory(), "kubelet.sock")
        self._room = Room()
        self._word = b""
        self._server = self._room.run(asyncio.start_unix_server(self._say, self._path))

    async def _say(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._word)
        writer.close()

    def call(self, word: bytes) -> bool:
        self._word = word
        return bool(self._room.run(self._called()))

    async def _called(self) -> bool:
        try:
            await call(self._path, messages.REGISTER, b"", 5.0)
        except RpcError:
            return False
        finally:
            await asyncio.sleep(0)
        return True


@functools.cache
def _plugin() -> _Plugin:
    return _Plugin()


@functools.cache
def _caller() -> _Caller:
    return _Caller()


def kubelet_messages() -> list[bytes]:
    """Return requests and words of the kubelet."""
    return [_REQUEST, _PREFERENCE, _STATUS]

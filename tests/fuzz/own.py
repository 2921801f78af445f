"""What the agent reads that it wrote itself, and what strangers ask of its metrics."""

from __future__ import annotations

import functools
import os
import random
import socket
from pathlib import Path

from agent.config.checking import settings_of
from agent.config.files import parse
from agent.inventory import Listed, Listing
from agent.ledger import NAME, Ledger
from agent.listener import Listener
from agent.metrics.families import exposition
from agent.metrics.http import Answer, Site
from agent.runtimes import tomltext, undo
from agent.runtimes.answers import KeyChange
from agent.setup import journal
from agent.setup.files import FileError
from agent.sockets import listening
from tests.agent.status.states import STATE
from tests.fuzz.discovering import put
from tests.fuzz.room import Complaints, Room, directory, heard

_CLASS = """[[class]]
kind = "acme.com/modem"
[[class.device]]
name = "a"
containerEdits.env = ["A=1"]
"""
_ASKED = b"GET /metrics HTTP/1.1\r\nHost: n\r\n\r\n"
FRAGMENTS = (
    *(b"\r\n", b"\n", b"\r\n\r\n", b": ", b" ", b";", b",", b"\x00", b"\xb2", b"\xff", b"/", b"/healthz", b"HTTP/9.9"),
    *(b"POST ", b"HEAD ", b"Host: a\r\n", b"Content-Length: 5\r\n", b"Content-Length: 99999999999999999999\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Upgrade: h2c\r\n"),
    *(b"Accept: application/openmetrics-text; version=1.0.0\r\n", b"version=9.\xb2", b"5\r\nhello\r\n0\r\n\r\n"),
    *(b"null", b"{}", b"[]", b"-1", b"1e999", b"NaN", b'"', b"[" * 5000, b"a" * 9000, b"\\u0000", b"\\ud800", b".."),
)  # fmt: skip


def requests() -> list[bytes]:
    """Return what Prometheus, probes and others ask."""
    openmetrics = b"Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n\r\n"
    return [
        _ASKED,
        _ASKED[:-2] + openmetrics,
        b"GET /readyz HTTP/1.0\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: n\r\nContent-Length: 5\r\n\r\nhello" + _ASKED,
        b"GET /metrics HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + _ASKED,
    ]


def check_request(data: bytes) -> bool:
    """Say it to the endpoint of metrics: an answer or the end of the connection, and whoever comes next is served."""
    answer = _endpoint().answer(data)
    if random.Random(data).random() < 0.02:
        assert _endpoint().answer(_ASKED).startswith(b"HTTP/1.1 200"), "nobody is served any more"
    return answer.startswith(b"HTTP/1.1 200")


class _Endpoint:
    def __init__(self) -> None:
        self._path = os.path.join(directory(), "metrics.sock")
        self._room = Room()
        self._complaints = Complaints()
        site = Site({"/metrics": self._metrics, "/readyz": lambda _accept: Answer(b"ok")})
        self._room.do(lambda: self._listen(site))

    def _listen(self, site: Site) -> None:
        self._listener = Listener(listening(self._path, 100), site.connection, "here")

    def _metrics(self, accept: str) -> Answer:
        content_type, text = exposition(STATE, accept)
        return Answer(text, content_type)

    def answer(self, data: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.setblocking(False)
            peer.connect(self._path)
            peer.send(data)
            said = bytes(self._room.run(heard(peer)))
        self._complaints.none()
        return said


@functools.cache
def _endpoint() -> _Endpoint:
    return _Endpoint()


def check_ledger(data: bytes) -> bool:
    """Read it as the record of what was offered: devices of which none is healthy, or it is forgotten, with a word."""
    put(Path(directory(), NAME), data)
    settings = settings_of((parse("c.toml", _CLASS),))
    inventory, forgotten = Ledger(directory()).read(settings)
    assert not (inventory and forgotten)
    assert not any(one.healthy for listing in inventory.values() for one in listing.devices.values())
    return forgotten is None


@functools.cache
def ledgers() -> list[bytes]:
    """Return the record of a few devices, as the agent writes it."""
    settings = settings_of((parse("c.toml", _CLASS),))
    resource = settings.classes[0].resource
    assert resource is not None
    devices = {"a": Listed(healthy=True), "b": Listed(healthy=False, gone=1_700_000_000.5)}
    ledger = Ledger(directory())
    assert ledger.write({"acme.com/modem": Listing("acme.com/modem", resource, devices)}) is None
    return [Path(ledger.path).read_bytes()]


def check_journal(data: bytes) -> bool:
    """Read it as the journal of what was set up: the steps to be undone, or it is damaged."""
    place = Path(_journal())
    put(place / "journal.json", data)
    try:
        steps = journal.read(str(place))
    except FileError:
        return False
    for step in steps:
        undo.undone(step.after, step.before, step.after, step.keys, tomltext)
    return True


@functools.cache
def journals() -> list[bytes]:
    """Return the journal of two steps, as `setup` writes it."""
    key = KeyChange(("plugins", "cdi"), "true", "false")
    off, on = (b"[plugins]\ncdi = %s\n" % word for word in (b"false", b"true"))
    changed = journal.Step("/etc/containerd/config.toml", off, on, (key,), ["/etc/containerd"])
    made = journal.Step("/etc/containerd/conf.d/x.toml", None, on)
    with journal.Journal(directory(), "containerd") as book:
        book.record([changed, made])
    return [Path(_journal(), "journal.json").read_bytes()]


def _journal() -> str:
    return os.path.join(directory(), "setup", "containerd")

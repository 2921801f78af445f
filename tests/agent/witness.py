"""Watches a spec file and the list that the kubelet is told, and says when the one belies the other.

    python -m tests.agent.witness SPEC SOCKET STOP

What an agent sends lies in the socket at once. So it is read from there, after each look at the spec: if the spec lacks
a device, then a list without it as Healthy was sent before. That is so whatever the machine is busy with. It ends when
the file STOP is there, prints how often it looked and how often a device was Healthy, and exits with 1 where it was
lied to.
"""

from __future__ import annotations

import json
import socket
import sys
from contextlib import suppress
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived
from h2.exceptions import H2Error

from tests.kubelet.pb import deviceplugin_pb2 as pb

_HEADERS = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/v1beta1.DevicePlugin/ListAndWatch"),
    (":authority", "localhost"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
)


class Watch:
    """A ListAndWatch call of its own. Raises `OSError` where nobody serves."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._h2 = H2Connection(H2Configuration(client_side=True))
        self._buffer = bytearray()
        try:
            self._socket.connect(path)
            self._h2.initiate_connection()
            self._h2.send_headers(1, _HEADERS)
            self._h2.send_data(1, bytes(5), end_stream=True)
            self._socket.sendall(self._h2.data_to_send())
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def healthy(self) -> list[set[str]] | None:
        """The healthy devices of each list that has come by now and was not returned before; None: it is over."""
        while True:
            try:
                data = self._socket.recv(1 << 20, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                return None
            if not data:
                return None
            self._take(data)
        return [
            {device.ID for device in pb.ListAndWatchResponse.FromString(message).devices if device.health == "Healthy"}
            for message in self._messages()
        ]

    def _take(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            if isinstance(event, DataReceived):
                assert event.data is not None
                self._buffer += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, 1)
        with suppress(OSError):
            self._socket.sendall(self._h2.data_to_send())

    def _messages(self) -> list[bytes]:
        found = []
        while len(self._buffer) >= 5 and len(self._buffer) >= 5 + (size := int.from_bytes(self._buffer[1:5], "big")):
            found.append(bytes(self._buffer[5 : 5 + size]))
            del self._buffer[: 5 + size]
        return found


def specified(path: Path) -> set[str]:
    try:
        return {device["name"] for device in json.loads(path.read_bytes())["devices"]}
    except FileNotFoundError:
        return set()


def main() -> int:
    """Look until told to stop."""
    spec, path, stop = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    watch: Watch | None = None
    looks = healthy = 0
    last: set[str] = set()
    lies: set[str] = set()
    while not stop.exists():
        if watch is None:
            last = set()
            with suppress(OSError):
                watch = Watch(path)
            continue
        there = specified(spec)
        try:
            lists = watch.healthy()
        except H2Error:
            lists = None
        if lists is None:
            watch.close()
            watch = None
            continue
        lies |= set.intersection(last, *lists) - there
        last = lists[-1] if lists else last
        looks += 1
        healthy += bool(last)
    sys.stdout.write(json.dumps({"looks": looks, "healthy": healthy, "lies": sorted(lies)}) + "\n")
    return 1 if lies else 0


if __name__ == "__main__":
    sys.exit(main())

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.rpc import server as module
from agent.rpc.messages import Code, framed
from agent.rpc.protobuf import DamagedError
from agent.rpc.server import PATH_LIMIT, REQUEST_LIMIT, Server, Unary, bound
from tests.agent.rpc.house import (
    ECHO,
    FAULT,
    HOLD,
    PREFACE,
    SECONDS,
    SETTINGS,
    House,
    Peer,
    Serving,
    channel,
    descriptors,
    echo,
)
from tests.agent.users import as_nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "x.sock")


@pytest.fixture
def serving(path: str) -> Iterator[Serving]:
    with Serving(path) as one:
        yield one


def refusal(error: grpc.RpcError) -> tuple[grpc.StatusCode, str]:
    call = cast("grpc.Call", error)
    return call.code(), call.details() or ""


# What a real client may do


@pytest.mark.parametrize("size", [0, 1, 16_384, 65_535, 65_536, 3_000_000, REQUEST_LIMIT])
def test_a_message_of_any_length_comes_and_goes(serving: Serving, size: int) -> None:
    with channel(serving.server.path, ("grpc.max_receive_message_length", -1)) as one:
        message = os.urandom(size)
        assert one.unary_unary(ECHO)(message, timeout=SECONDS) == message


def test_a_message_over_the_limit_is_refused_and_the_connection_goes_on(serving: Serving) -> None:
    with channel(serving.server.path) as one:
        with pytest.raises(grpc.RpcError) as refused:
            one.unary_unary(ECHO)(bytes(REQUEST_LIMIT + 1), timeout=SECONDS)
        code, details = refusal(refused.value)
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert details == f"the message has {REQUEST_LIMIT + 1} bytes; at most {REQUEST_LIMIT} are taken"
        assert one.unary_unary(ECHO)(b"x", timeout=SECONDS) == b"x"
    serving.await_connections(0)


def test_many_calls_at_once_on_one_connection(serving: Serving) -> None:
    async def all_of_them() -> list[bytes]:
        async with grpc.aio.insecure_channel(f"unix:{serving.server.path}") as one:
            call: Any = one.unary_unary(ECHO)
            return list(await asyncio.gather(*(call(b"%d" % number * 2000) for number in range(500))))

    assert asyncio.run(all_of_them()) == [b"%d" % number * 2000 for number in range(500)]


def test_calls_from_many_threads_and_connections(serving: Serving) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda number: echo(serving.server.path, b"%d" % number), range(40))) == [
            b"%d" % number for number in range(40)
        ]


def test_a_stream_brings_what_is_sent_until_it_is_cancelled(serving: Serving) -> None:
    with channel(serving.server.path) as one:
        stream: Any = one.unary_stream(HOLD)(b"first", timeout=SECONDS)
        heard = [next(stream)]
        for word in (b"second", b"", b"third" * 100_000):
            serving.send(word)
            heard.append(next(stream))
        assert heard == [b"first", b"second", b"", b"third" * 100_000]
        assert serving.ends == 0
        stream.cancel()
        serving.await_held(0)
        assert serving.ends == 1
        assert one.unary_unary(ECHO)(b"x", timeout=SECONDS) == b"x"


def test_a_stream_ends_at_its_deadline(serving: Serving) -> None:
    with channel(serving.server.path) as one:
        stream: Any = one.unary_stream(HOLD)(b"first", timeout=0.2)
        with pytest.raises(grpc.RpcError) as late:
            list(stream)
        assert refusal(late.value)[0] is grpc.StatusCode.DEADLINE_EXCEEDED
        serving.await_held(0)


def test_a_stream_ends_with_its_connection_and_with_the_server(serving: Serving) -> None:
    with channel(serving.server.path) as one:
        next(one.unary_stream(HOLD)(b"first", timeout=SECONDS))
    serving.await_held(0)
    with channel(serving.server.path) as one:
        stream: Any = one.unary_stream(HOLD)(b"first", timeout=SECONDS)
        next(stream)
        serving.do(serving.server.disconnect)
        assert serving.held == []
        with pytest.raises(grpc.RpcError) as broken:
            next(stream)
        assert refusal(broken.value)[0] is grpc.StatusCode.UNAVAILABLE
    assert serving.ends == 2


@pytest.mark.parametrize("window", [65_535, 2**31 - 1])
def test_a_peer_that_does_not_read_costs_one_message_and_then_reads_the_newest(serving: Serving, window: int) -> None:
    size, number = 1_000_000, 200
    with Peer(serving.server.path).greet(window) as peer:
        stream = peer.begin(HOLD)
        peer.h2.send_data(stream, framed(b"first"), end_stream=True)
        peer.flush()
        serving.await_held(1)
        before = resident()
        for one in range(number):
            serving.send(b"%d" % (one % 10) * size)
        assert resident() - before < 20 * size
        serving.send(b"newest")
        peer.hear(lambda: peer.messages.get(stream, [])[-1:] == [b"newest"])
        assert [message[:6] for message in peer.messages[stream]] == [b"first", b"000000", b"newest"]


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_a_reader_that_pauses_gets_the_newest_list(serving: Serving) -> None:
    with channel(serving.server.path) as one:
        stream: Any = one.unary_stream(HOLD)(bytes(2_000_000), timeout=SECONDS)
        serving.await_held(1)
        for number in range(100):
            serving.send(b"%03d" % number * 500_000)
        heard = []
        for message in stream:
            heard.append(message[:3])
            if message[:3] == b"099":
                break
        assert heard[0] == b"\0\0\0"
        assert len(heard) < 20


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_request_is_refused(serving: Serving, compression: grpc.Compression) -> None:
    with channel(serving.server.path) as one:
        with pytest.raises(grpc.RpcError) as refused:
            one.unary_unary(ECHO)(b"x" * 1000, timeout=SECONDS, compression=compression)
        expected = (grpc.StatusCode.UNIMPLEMENTED, "the message is compressed; send it as it is")
        assert refusal(refused.value) == expected


def test_metadata_is_no_concern_of_ours(serving: Serving) -> None:
    with channel(serving.server.path) as one:
        metadata = (("x-word", "w" * 3000), ("x-bytes-bin", bytes(range(256))), ("authorization", "Bearer x"))
        assert one.unary_unary(ECHO)(b"x", timeout=SECONDS, metadata=metadata) == b"x"


def test_a_client_that_pings_is_answered(serving: Serving) -> None:
    options = (("grpc.keepalive_time_ms", 100), ("grpc.keepalive_timeout_ms", 5000),
               ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0))  # fmt: skip
    with channel(serving.server.path, *options) as one:
        stream: Any = one.unary_stream(HOLD)(b"first", timeout=SECONDS)
        next(stream)
        time.sleep(0.5)
        serving.send(b"second")
        assert next(stream) == b"second"
    with Peer(serving.server.path).greet() as peer:
        peer.h2.ping(b"12345678")
        peer.flush()
        data = b""
        while b"12345678" not in data:
            data += peer.socket.recv(1000)


@pytest.mark.parametrize(
    "method", ["/test.Test/Nothing", "/", "/test.Test/Ec%68o", "/" + "x" * 3000, "/\u00e9".encode()]
)
def test_an_unknown_method_is_refused(serving: Serving, method: str | bytes) -> None:
    with Peer(serving.server.path).greet() as peer:
        number = peer.call(method, framed(b""))  # type: ignore[arg-type] # headers are bytes in the end
        assert peer.status[number] == Code.UNIMPLEMENTED
        assert peer.words[number].startswith("there is no method '/")
        assert len(peer.words[number]) <= 1000


def test_a_fault_of_a_method_ends_its_call_and_is_told_of(path: str) -> None:
    with Serving(path) as serving:
        with channel(path) as one:
            with pytest.raises(grpc.RpcError) as failed:
                one.unary_unary(FAULT)(b"", timeout=SECONDS)
            assert refusal(failed.value) == (grpc.StatusCode.INTERNAL, "the call failed; the agent's log says more")
            assert one.unary_unary(ECHO)(b"x", timeout=SECONDS) == b"x"
        assert serving.log.said == [f"a call at {path} failed: ZeroDivisionError(); please report it"]
        serving.log.said.clear()


def test_a_request_that_a_method_cannot_read_is_refused(path: str) -> None:
    def answer(_request: bytes) -> bytes:
        raise DamagedError("a field is cut short")

    with House() as house:
        server = Server(path, {ECHO: Unary(answer)})
        house.do(server.start)
        with channel(path) as one, pytest.raises(grpc.RpcError) as refused:
            one.unary_unary(ECHO)(b"", timeout=SECONDS)
        expected = (grpc.StatusCode.INVALID_ARGUMENT, "the request cannot be read: a field is cut short")
        assert refusal(refused.value) == expected
        house.do(server.stop)


# What a peer should not do


TOO_LONG = (Code.RESOURCE_EXHAUSTED, f"the message has {2**32 - 1} bytes; at most {REQUEST_LIMIT} are taken")
NOT_ONE = (Code.INVALID_ARGUMENT, "a call takes one whole message")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", NOT_ONE),
        (framed(b"a") + framed(b"b"), NOT_ONE),
        (framed(b"a") + b"\0", NOT_ONE),
        (framed(b"abc")[:-1], NOT_ONE),
        (b"\0\0", NOT_ONE),
        (b"\1\0\0\0\1x", (Code.UNIMPLEMENTED, "the message is compressed; send it as it is")),
        (b"\0\xff\xff\xff\xff", TOO_LONG),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", [ECHO, HOLD])
def test_a_request_that_is_not_one_message_is_refused(
    serving: Serving, data: bytes, status: tuple[Code, str], method: str
) -> None:
    with Peer(serving.server.path).greet() as peer:
        number = peer.call(method, data)
        assert (peer.status[number], peer.words[number]) == status
        again = peer.call(ECHO, framed(b"x"))
        assert (peer.status[again], peer.messages[again]) == (0, [b"x"])
    assert serving.held == []


def test_a_call_that_sends_message_after_message_is_ended_at_the_second(serving: Serving) -> None:
    with Peer(serving.server.path).greet() as peer:
        number = peer.begin(ECHO)
        peer.h2.send_data(number, framed(b"a") * 2)
        peer.flush().hear(lambda: number in peer.over)
        assert (peer.status[number], peer.words[number]) == NOT_ONE


def test_a_call_without_a_body_and_one_with_trailers(serving: Serving) -> None:
    with Peer(serving.server.path).greet() as peer:
        empty = peer.begin(ECHO, end=True)
        trailed = peer.begin(ECHO)
        peer.h2.send_data(trailed, framed(b"x"))
        peer.h2.send_headers(trailed, [("x-trailer", "1")], end_stream=True)
        peer.flush().hear(lambda: {empty, trailed} <= peer.over)
        assert peer.status == {empty: Code.INVALID_ARGUMENT, trailed: 0}


@pytest.mark.parametrize("content_type", ["text/html", "", "application/json"])
def test_another_content_type_is_refused(serving: Serving, content_type: str) -> None:
    with Peer(serving.server.path).greet() as peer:
        number = peer.call(ECHO, framed(b"x"), content_type=content_type)
        assert peer.status[number] == Code.INTERNAL
        assert peer.words[number] == "this is a gRPC service; send application/grpc"


def test_unfinished_messages_do_not_fill_the_memory(serving: Serving) -> None:
    begun = framed(bytes(REQUEST_LIMIT))[:-1]
    with Peer(serving.server.path).greet() as peer:
        before = resident()
        numbers = [peer.begin(ECHO) for _ in range(10)]
        for number in numbers:
            sent = 0
            while sent < len(begun) and number not in peer.over:
                room = min(peer.h2.local_flow_control_window(number), 16_384)
                if room:
                    peer.h2.send_data(number, begun[sent : sent + room])
                    sent += room
                else:
                    peer.flush().hear(
                        lambda number=number: number in peer.over or peer.h2.local_flow_control_window(number) > 0  # type: ignore[misc]
                    )
            peer.flush()
        peer.hear(lambda: len(peer.status) >= 8)
        assert set(peer.status.values()) == {Code.RESOURCE_EXHAUSTED}
        assert resident() - before < 6 * REQUEST_LIMIT
        assert echo(serving.server.path) == b"hello"


@pytest.mark.parametrize("way", ["one chunk", "two chunks"])
@pytest.mark.parametrize("method", [ECHO, HOLD])
def test_a_call_that_is_given_up_at_once_is_no_fault(serving: Serving, method: str, way: str) -> None:
    with Peer(serving.server.path).greet() as peer:
        for _ in range(300):
            number = peer.begin(method)
            peer.h2.send_data(number, framed(b"x"), end_stream=True)
            if way == "two chunks":
                peer.flush()
            peer.h2.reset_stream(number, 8)
        peer.flush()
        assert peer.call(ECHO, framed(b"x")) not in (None, 0)
        serving.await_held(0)


def test_rapid_resets_leave_nothing(serving: Serving) -> None:
    with Peer(serving.server.path).greet() as peer:
        for _ in range(3000):
            peer.h2.reset_stream(peer.begin(ECHO), 8)
        peer.flush().hear(lambda: True)
        assert peer.status.get(peer.call(ECHO, framed(b"x"))) == 0
        (connection,) = serving.server._connections
        assert not connection.calls


HEADERS_FRAME = b"\1"
BAD = {
    "garbage": os.urandom(4000),
    "zeros": bytes(4000),
    "a request of HTTP/1": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("160301020001000001fc0303"),
    "a preface and garbage": PREFACE + os.urandom(1_000_000),
    "a frame that is too long": PREFACE + SETTINGS + b"\xff\xff\xff\0\0\0\0\0\1" + bytes(600_000),
    "data before headers": PREFACE + SETTINGS + b"\0\0\1\0\0\0\0\0\1x",
    "an even stream": PREFACE + SETTINGS + b"\0\0\0\1\5\0\0\0\2",
    "stream 0 with headers": PREFACE + SETTINGS + b"\0\0\0\1\5\0\0\0\0",
    "headers that cannot be unpacked": PREFACE + SETTINGS + b"\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff",
    "a lone continuation": PREFACE + SETTINGS + b"\0\0\0\x09\4\0\0\0\1",
    "continuations without an end": PREFACE + SETTINGS + b"\0\0\1\1\0\0\0\0\1\x40" + b"\0\0\1\x09\0\0\0\0\1\x40" * 5000,
    "a header list without an end": PREFACE + SETTINGS + b"\0\x40\0\1\0\0\0\0\1" + b"\x40\1a\0" * 4096
    + (b"\0\x40\0\x09\0\0\0\0\1" + b"\x40\1a\0" * 4096) * 50,
    "a window that overflows": PREFACE + SETTINGS + b"\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff" * 2,
    "a window of nothing": PREFACE + SETTINGS + b"\0\0\4\x08\0\0\0\0\0\0\0\0\0",
    "settings of a wrong length": PREFACE + b"\0\0\5\4\0\0\0\0\0" + bytes(5),
    "settings that cannot be": PREFACE + b"\0\0\6\4\0\0\0\0\0\0\4\xff\xff\xff\xff",
    "a push": PREFACE + SETTINGS + b"\0\0\4\5\4\0\0\0\1\0\0\0\2",
    "a stream that depends on itself": PREFACE + SETTINGS + b"\0\0\5\2\0\0\0\0\1\0\0\0\1\0",
    "a word of leaving": PREFACE + SETTINGS + b"\0\0\x08\7\0\0\0\0\0" + bytes(8),
}  # fmt: skip


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_bytes_that_make_no_sense_end_their_connection_and_nothing_else(serving: Serving, data: bytes) -> None:
    with Peer(serving.server.path) as peer:
        peer.say(data)
        peer.await_close()
        assert echo(serving.server.path) == b"hello"
    serving.await_connections(0)


HARMLESS = {
    "a frame of an unknown type": PREFACE + SETTINGS + b"\0\0\3\xee\0\0\0\0\0abc",
    "a setting that is not known": PREFACE + b"\0\0\6\4\0\0\0\0\0\xff\xff\0\0\0\1",
    "half a preface": PREFACE[:10],
    "half a frame": PREFACE + SETTINGS[:5],
    "the first bytes of a frame that is too long": PREFACE + PREFACE,
    "nothing": b"",
}


@pytest.mark.parametrize("data", HARMLESS.values(), ids=HARMLESS)
def test_a_peer_that_may_go_on_is_waited_for(serving: Serving, data: bytes) -> None:
    with Peer(serving.server.path) as peer:
        peer.say(data)
        assert echo(serving.server.path) == b"hello"
        serving.await_connections(1)
    serving.await_connections(0)


STREAMS = st.sampled_from([0, 1, 1, 1, 2, 3, 5, 2**31 - 1])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frames=st.lists(st.tuples(st.integers(0, 10), st.integers(0, 255), STREAMS, st.binary(max_size=30)), max_size=8),
    tail=st.binary(max_size=20),
)  # fmt: skip
def test_any_frames_do_no_harm(serving: Serving, frames: list[tuple[int, int, int, bytes]], tail: bytes) -> None:
    with Peer(serving.server.path) as peer:
        peer.say(PREFACE + SETTINGS)
        for kind, flags, stream, payload in frames:
            peer.say(len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload)
        peer.say(tail)
        peer.socket.shutdown(socket.SHUT_WR)
        peer.await_close()
    with Peer(serving.server.path).greet() as good:
        number = good.call(ECHO, framed(b"x"))
        assert good.messages[number] == [b"x"]


FLOODS: dict[str, Callable[[Peer], bytes]] = {
    "pings": lambda _: b"\0\0\x08\6\0\0\0\0\0" + bytes(8),
    "settings": lambda _: SETTINGS,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_that_is_to_be_answered_ends_where_the_answers_are_not_read(
    serving: Serving, flood: Callable[[Peer], bytes]
) -> None:
    with Peer(serving.server.path) as peer:
        peer.say(PREFACE + SETTINGS)
        peer.socket.settimeout(1.0)
        chunk, sent, before = flood(peer) * 5000, 0, resident()
        with contextlib.suppress(TimeoutError):
            while sent < 20_000_000:
                sent += peer.socket.send(chunk)
        assert sent < 20_000_000
        assert resident() - before < 30_000_000
        assert echo(serving.server.path) == b"hello"
    serving.await_connections(0)


def test_a_peer_that_says_it_leaves_watches_no_more(serving: Serving) -> None:
    with Peer(serving.server.path).greet() as peer:
        number = peer.begin(HOLD)
        peer.h2.send_data(number, framed(b"x"), end_stream=True)
        peer.flush()
        serving.await_held(1)
        peer.h2.close_connection()
        peer.flush()
        serving.await_held(0)


def test_a_peer_that_breaks_a_rule_and_reads_nothing_is_gone_all_the_same(serving: Serving) -> None:
    with Peer(serving.server.path).greet(2**31 - 1) as peer:
        number = peer.begin(HOLD)
        peer.h2.send_data(number, framed(b"x"), end_stream=True)
        peer.flush()
        serving.await_held(1)
        (connection,) = serving.server._connections
        transport = connection._transport
        assert transport is not None
        while not serving.do(transport.get_write_buffer_size):
            serving.send(bytes(5000))
        peer.say(b"\0\0\1\0\0\0\0\0\7x")  # data of a stream that never was
        serving.await_held(0)
        serving.await_connections(0)


_SHORT_OF_MEMORY = """
import asyncio, mmap, resource, sys
from agent.rpc.messages import framed
from agent.rpc.server import Server, Streaming
from tests.agent.rpc.house import HOLD, Peer

async def main(path):
    ended, calls = asyncio.Event(), []

    def begin(call, _request):
        call.ended = ended.set
        calls.append(call)

    server = Server(path, {HOLD: Streaming(begin)})
    server.start()
    with Peer(path).greet(2**31 - 1) as peer:
        peer.h2.send_data(peer.begin(HOLD), framed(b""), end_stream=True)
        peer.flush()
        while not calls:
            await asyncio.sleep(0.01)
        message = bytes(64 * 2**20)
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * mmap.PAGESIZE + 2**20, -1))
        calls[0].send(message)
        await asyncio.wait_for(ended.wait(), 20)
    server.stop()

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_message_that_there_is_no_memory_for_ends_its_connection_and_no_more(path: str) -> None:
    argv = [sys.executable, "-c", _SHORT_OF_MEMORY, path]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_idle_connections_keep_nobody_out_and_are_given_back(serving: Serving) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    before = descriptors()
    try:
        peers = [Peer(serving.server.path) for _ in range(1000)]
        for number, peer in enumerate(peers):
            peer.say((b"", PREFACE[:8], PREFACE + SETTINGS)[number % 3])
        assert echo(serving.server.path) == b"hello"
        assert serving.connections <= module._CONNECTIONS
        serving.await_(lambda: descriptors() <= before + 1000 + module._CONNECTIONS + 20)
        for peer in peers:
            peer.socket.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    serving.await_connections(0)
    serving.await_(lambda: descriptors() <= before + 5)


def test_half_open_calls_keep_nobody_out_and_a_watcher_stays(serving: Serving) -> None:
    with channel(serving.server.path) as one:
        stream: Any = one.unary_stream(HOLD)(b"first", timeout=SECONDS)
        next(stream)
        peers = [Peer(serving.server.path).greet() for _ in range(2 * module._CONNECTIONS)]
        for peer in peers:
            peer.begin(ECHO)
            peer.flush()
        assert echo(serving.server.path) == b"hello"
        assert serving.connections <= module._CONNECTIONS
        serving.send(b"second")
        assert next(stream) == b"second"
        for peer in peers:
            peer.socket.close()
    serving.await_connections(0)


def test_where_all_watch_the_newest_is_turned_away(serving: Serving) -> None:
    peers = [Peer(serving.server.path).greet() for _ in range(module._CONNECTIONS)]
    for peer in peers:
        peer.h2.send_data(peer.begin(HOLD), framed(b"x"), end_stream=True)
        peer.flush()
    serving.await_held(module._CONNECTIONS)
    with Peer(serving.server.path) as late:
        late.await_close()
    assert len(serving.held) == module._CONNECTIONS
    for peer in peers:
        peer.socket.close()
    serving.await_connections(0)


def test_a_thousand_connections_one_after_the_other_leave_nothing(serving: Serving) -> None:
    def come_and_go() -> None:
        with Peer(serving.server.path).greet() as peer:
            number = peer.begin(HOLD)
            peer.h2.send_data(number, framed(b"x"), end_stream=True)
            peer.flush().hear(lambda: number in peer.messages)

    for _ in range(10):
        come_and_go()
    serving.await_connections(0)
    before = descriptors(), threading.active_count(), resident()
    for _ in range(1000):
        come_and_go()
    serving.await_connections(0)
    assert descriptors() <= before[0]
    assert threading.active_count() <= before[1]
    assert resident() <= before[2] * 1.05
    assert serving.held == []


# The socket


def test_the_socket_is_its_users_own_from_the_first_moment(path: str) -> None:
    seen: set[int] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            try:
                seen.add(stat.S_IMODE(os.lstat(path).st_mode))
            except FileNotFoundError:
                continue

    watcher = threading.Thread(target=look)
    mask = os.umask(0)
    try:
        watcher.start()
        for _ in range(300):
            bound(path).close()
    finally:
        over.set()
        watcher.join()
        assert os.umask(mask) == 0
    assert seen == {0o600}


@pytest.mark.root
def test_another_user_cannot_connect(path: str, tmp_path: Path) -> None:
    with bound(path):

        def attempt() -> str:
            with socket.socket(socket.AF_UNIX) as one:
                try:
                    one.connect(path)
                except OSError as error:
                    return error.strerror or ""
            return "connected"

        assert as_nobody(attempt, tmp_path) == "Permission denied"


def test_a_socket_in_its_place_goes_and_anything_else_stays(path: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    with Serving(path) as serving:
        assert echo(path) == b"hello"
        serving.do(serving.server.stop)
        assert not os.path.lexists(path)
    for make in (lambda: (tmp_path / "x.sock").write_text("theirs"), lambda: (tmp_path / "x.sock").symlink_to("y")):
        make()
        with House() as house:
            server = Server(path, {})
            with pytest.raises(OSError, match="in use"):
                house.do(server.start)
            house.do(server.stop)
            assert not server.there
        assert os.path.lexists(path)
        os.unlink(path)
    os.symlink(stale_socket(tmp_path), path)
    with pytest.raises(OSError, match="in use"):
        bound(path)


def stale_socket(tmp_path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "elsewhere.sock"))
    return str(tmp_path / "elsewhere.sock")


def test_a_path_may_be_as_long_as_a_socket_can_have(tmp_path: Path) -> None:
    room = PATH_LIMIT - len(str(tmp_path)) - 1
    longest = str(tmp_path / ("x" * room))
    with Serving(longest):
        assert echo(longest) == b"hello"
    with House() as house:
        server = Server(longest + "x", {})
        with pytest.raises(OSError, match="too long"):
            house.do(server.start)
        house.do(server.stop)


def test_where_its_directory_is_gone_it_cannot_start(tmp_path: Path) -> None:
    with House() as house:
        server = Server(str(tmp_path / "gone" / "x.sock"), {})
        with pytest.raises(FileNotFoundError):
            house.do(server.start)
        assert not server.there


def there(serving: Serving) -> bool:
    return serving.server.there


def test_that_the_socket_was_removed_or_replaced_is_seen(serving: Serving, path: str) -> None:
    assert there(serving)
    os.unlink(path)
    assert not there(serving)
    time.sleep(0.02)  # the kernel's clock of files must have moved on
    with socket.socket(socket.AF_UNIX) as other:  # often with the same inode number
        other.bind(path)
        assert not serving.server.there
        serving.do(serving.server.stop)
        assert os.path.lexists(path), "another one's socket is not ours to remove"
    serving.do(serving.server.start)
    assert there(serving)
    assert echo(path) == b"hello"


def test_it_starts_anew_and_stops_twice(serving: Serving, path: str) -> None:
    with channel(path) as one:
        next(one.unary_stream(HOLD)(b"first", timeout=SECONDS))
        serving.do(serving.server.start)
        assert serving.held == []
    assert echo(path) == b"hello"
    serving.do(serving.server.stop)
    serving.do(serving.server.stop)
    assert not serving.server.there
    assert not os.path.lexists(path)

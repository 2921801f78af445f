"""The kubelet is proven with a small plugin that keeps the rules, and with each rule broken in turn."""

from __future__ import annotations

import json
import os
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest

from tests.kubelet.checkpoint import NAME as CHECKPOINT
from tests.kubelet.journal import Rule
from tests.kubelet.kubelet import Kubelet, UnexpectedAdmissionError
from tests.kubelet.pb import deviceplugin_pb2 as pb
from tests.kubelet.pb import pluginregistration_pb2 as registration
from tests.kubelet.plugin import RESOURCE, RefusalError, SmallPlugin, bound, cdi_answer, device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.kubelet.journal import Event

TWO = (device("m0"), device("m1"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "dp"
    made.mkdir()
    return made


@pytest.fixture
def kubelet(directory: Path) -> Iterator[Kubelet]:
    with Kubelet(directory) as running:
        yield running


@pytest.fixture
def start(directory: Path) -> Iterator[Callable[..., SmallPlugin]]:
    """`plugin = start(devices, resource, ...)` serves."""
    with ExitStack() as stack:
        yield lambda *args, **more: stack.enter_context(SmallPlugin(directory, *args, **more))


@pytest.fixture
def plugin(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> SmallPlugin:
    """A plugin with two devices, registered and known."""
    made = start(TWO)
    made.register()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    return made


def broken(kubelet: Kubelet) -> set[Rule]:
    return {breach.rule for breach in kubelet.breaches}


def refusal(error: pytest.ExceptionInfo[grpc.RpcError]) -> tuple[grpc.StatusCode, str]:
    call = cast("grpc.Call", error.value)
    return call.code(), call.details() or ""


def data(directory: Path) -> dict[str, Any]:
    """The checkpoint's."""
    found: dict[str, Any] = json.loads((directory / CHECKPOINT).read_text())["Data"]
    return found


# Registration


def test_a_plugin_that_keeps_the_rules_is_known_at_once(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    assert (kubelet.capacity(RESOURCE), kubelet.allocatable(RESOURCE)) == (2, 2)
    assert kubelet.health(RESOURCE) == {"m0": "Healthy", "m1": "Healthy"}
    kubelet.next("registered", RESOURCE)
    told = [event.what for event in kubelet.journal.events(resource=RESOURCE)]
    assert told[0] == "register"
    assert set(told) == {"register", "registered", "list"}
    assert kubelet.next("list").facts == {"devices": 2, "healthy": 2, "changed": {"m0": "Healthy", "m1": "Healthy"}}
    assert kubelet.breaches == ()


def test_registering_takes_a_few_milliseconds(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    took = []
    for _ in range(50):
        plugin.end_streams()
        since = len(kubelet.journal)
        kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 0)
        plugin.register()
        took.append(kubelet.next("registered", since=since).at - kubelet.next("register", since=since).at)
        kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    assert sorted(took)[10] < 0.02  # a busy machine may spoil most of them
    assert kubelet.breaches == ()


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"version": "v1alpha"}, Rule.VERSION),
        ({"version": ""}, Rule.VERSION),
        ({"resource_name": "modem"}, Rule.RESOURCE_NAME),
        ({"resource_name": "kubernetes.io/modem"}, Rule.RESOURCE_NAME),
        ({"resource_name": "Acme.com/modem"}, Rule.RESOURCE_NAME),
        ({"endpoint": "nobody.sock"}, Rule.NOT_SERVING),
        ({"endpoint": ""}, Rule.ENDPOINT),
        ({"endpoint": "../acme.sock"}, Rule.ENDPOINT),
    ],
)
def test_a_wrong_registration_is_refused(
    directory: Path, start: Callable[..., SmallPlugin], fields: dict[str, Any], rule: Rule
) -> None:
    with Kubelet(directory, dial=0.2) as kubelet:
        with pytest.raises(grpc.RpcError) as error:
            start(TWO).register(**fields)
        assert refusal(error)[0] is grpc.StatusCode.UNKNOWN
        assert rule in broken(kubelet)
        resource = str(fields.get("resource_name", RESOURCE))
        assert kubelet.capacity(resource) is None
        kubelet.next("refused", resource)


def test_a_path_for_an_endpoint_is_taken_below_the_directory_and_is_a_breach(
    kubelet: Kubelet, start: Callable[..., SmallPlugin]
) -> None:
    plugin = start(TWO)
    plugin.register(endpoint=f"/{plugin.socket.name}")
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    assert broken(kubelet) == {Rule.ENDPOINT}


def test_a_plugin_that_serves_after_it_registered_is_found_out(
    directory: Path, start: Callable[..., SmallPlugin]
) -> None:
    plugin = start(TWO)
    plugin.close()
    with Kubelet(directory) as kubelet:  # which dials for 10 s, and again after 1
        registering = threading.Thread(target=plugin.register)
        registering.start()
        kubelet.next("breach")
        plugin.serve()
        registering.join()
        kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
        assert broken(kubelet) == {Rule.NOT_SERVING}


def test_a_plugin_that_died_in_the_midst_is_not_blamed(directory: Path) -> None:
    request = pb.RegisterRequest(version="v1beta1", endpoint="dead.sock", resource_name=RESOURCE)
    with Kubelet(directory, dial=1) as kubelet, bound(directory / "dead.sock"):
        kubelet.hang_in_register(3600)
        with grpc.insecure_channel(f"unix:{kubelet.socket}") as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/v1beta1.Registration/Register")
            asking = call.future(request.SerializeToString())
            kubelet.next("register")
        assert asking.done()
        kubelet.hang_in_register(0)
        kubelet.next("refused")
        assert kubelet.breaches == ()


def test_the_socket_belongs_to_its_owner_alone(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> None:
    start(TWO, mode=0o666).register()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    assert broken(kubelet) == {Rule.SOCKET_MODE}


def test_options_of_the_registration_count_for_nothing(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> None:
    plugin = start(TWO)
    plugin.register(options=pb.DevicePluginOptions(pre_start_required=True))
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    kubelet.admit("pod", "main", RESOURCE)
    kubelet.replay("pod", "main")
    assert [call for call, _ in plugin.calls] == ["Allocate"]
    assert broken(kubelet) == {Rule.OPTIONS}


# The newest wins, and the older one's end is its end


def test_the_end_of_the_older_stream_disconnects_the_newer(directory: Path, start: Callable[..., SmallPlugin]) -> None:
    with Kubelet(directory, patience=0.01) as kubelet:
        older, newer = start(TWO, name="older.sock"), start([device("n0")], name="newer.sock")
        older.register()
        kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
        newer.register()
        kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 1)
        assert kubelet.plugin(RESOURCE).socket == str(newer.socket)
        older.end_streams()
        kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 0)
        assert kubelet.next("disconnect").facts["socket"] == str(newer.socket)
        kubelet.until(lambda: newer.streams == 0)
        assert kubelet.capacity(RESOURCE) == 1
        assert {Rule.STREAM_STILL_OPEN, Rule.DEVICE_DROPPED} == broken(kubelet)


def test_ending_the_stream_just_before_registering_is_no_breach(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    for _ in range(20):
        since = len(kubelet.journal)
        plugin.end_streams()
        plugin.register()
        kubelet.next("list", since=since)
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    assert plugin.streams == 1
    assert kubelet.breaches == ()


def test_without_patience_a_race_ends_as_on_a_node(directory: Path, start: Callable[..., SmallPlugin]) -> None:
    with Kubelet(directory, patience=0) as kubelet:
        older, newer = start(TWO, name="older.sock"), start(TWO, name="newer.sock")
        older.register()
        kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
        newer.register()
        older.end_streams()
        kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 0)
        assert kubelet.breaches == ()


def test_a_stream_that_ends_is_never_asked_for_again(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    since = len(kubelet.journal)
    plugin.end_streams()
    end = kubelet.next("stream-end")
    assert (end.facts["by"], end.facts["code"]) == ("plugin", "OK")
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 0)
    kubelet.until(lambda: plugin.streams == 0)
    plugin.list(device("m0"))
    with pytest.raises(AssertionError, match="not within"):
        kubelet.next("list", since=since, seconds=0.2)


# Restarts


def test_a_start_removes_sockets_and_nothing_else(directory: Path) -> None:
    (directory / "file").write_text("stays")
    (directory / "below").mkdir()
    (directory / "link").symlink_to("stale.sock")
    for name in ("stale.sock", "below/stale.sock", ".stale"):
        with bound(directory / name):
            pass
    with Kubelet(directory):
        assert sorted(path.name for path in directory.iterdir()) == ["below", "file", "kubelet.sock", "link"]
        assert (directory / "below/stale.sock").exists()
    assert (directory / "kubelet.sock").is_socket()


def test_a_killed_kubelet_leaves_a_socket_that_nobody_serves(
    kubelet: Kubelet, start: Callable[..., SmallPlugin]
) -> None:
    plugin = start(TWO)
    kubelet.stop()
    assert kubelet.socket.is_socket()
    with pytest.raises(grpc.RpcError):
        plugin.register()
    kubelet.start()
    assert not plugin.socket.exists()


def test_a_restart_gives_the_socket_its_inode_number_again(kubelet: Kubelet) -> None:
    for _ in range(10):  # another program may take the number meanwhile
        before = kubelet.socket.stat()
        kubelet.restart(same_inode=True)
        after = kubelet.socket.stat()
        assert (after.st_ino == before.st_ino) is kubelet.reused_inode
        assert after.st_ctime_ns != before.st_ctime_ns
        if kubelet.reused_inode:
            break


def test_a_plugin_that_follows_survives_restarts(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    plugin.follow()
    for _ in range(30):
        kubelet.restart()
        assert kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    assert kubelet.breaches == ()


def test_after_a_restart_a_resource_is_there_with_nothing_until_it_registers(
    directory: Path, kubelet: Kubelet, plugin: SmallPlugin
) -> None:
    kubelet.restart()
    assert (kubelet.capacity(RESOURCE), kubelet.allocatable(RESOURCE)) == (0, 0)
    assert kubelet.health(RESOURCE) == {}
    with pytest.raises(UnexpectedAdmissionError, match="no healthy devices"):
        kubelet.admit("pod", "main", RESOURCE)


def test_a_directory_that_vanishes_comes_back_with_the_kubelet(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    kubelet.remove_directory()
    plugin.list(device("m0"))
    kubelet.next("checkpoint-unwritten")
    plugin.follow()
    kubelet.restart()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 1)


# Lists


@pytest.mark.parametrize(
    ("devices", "counts", "rules"),
    [
        ([], (0, 0), set()),
        ([device("a"), device("b", "Unhealthy")], (2, 1), set()),
        ([device("a", "healthy")], (1, 0), {Rule.HEALTH_WORD}),
        ([device("a"), device("a")], (1, 1), {Rule.DUPLICATE_ID}),
        ([device("x" * 64)], (1, 1), {Rule.DEVICE_ID}),
    ],
)
def test_lists(
    kubelet: Kubelet,
    start: Callable[..., SmallPlugin],
    devices: Sequence[pb.Device],
    counts: tuple[int, int],
    rules: set[Rule],
) -> None:
    start(devices).register()
    kubelet.next("list")
    kubelet.until(lambda: kubelet.capacity(RESOURCE) is not None)
    assert (kubelet.capacity(RESOURCE), kubelet.allocatable(RESOURCE)) == counts
    kubelet.until(lambda: broken(kubelet) == rules)


def test_a_list_beyond_what_grpc_receives_ends_the_stream(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> None:
    plugin = start(TWO)
    plugin.register()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    plugin.list(*TWO, *(device(f"{number:063}") for number in range(60_000)))
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 0)
    assert broken(kubelet) == {Rule.LIST_SIZE}


def test_health_follows_the_list(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    plugin.list(device("m0", "Unhealthy"), device("m1"))
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 1)
    assert kubelet.health(RESOURCE) == {"m0": "Unhealthy", "m1": "Healthy"}
    assert kubelet.journal.events("list")[-1].facts["changed"] == {"m0": "Unhealthy"}
    plugin.list(*TWO)
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    assert kubelet.breaches == ()


def test_a_device_that_is_dropped_reads_healthy_to_its_pod(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    (held,) = kubelet.admit("pod", "main", RESOURCE)
    plugin.list(*(device(one, "Unhealthy" if one == held else "Healthy") for one in ("m0", "m1")))
    kubelet.until(lambda: kubelet.health(RESOURCE)[held] == "Unhealthy")
    plugin.list(*(one for one in TWO if held != one.ID))
    kubelet.until(lambda: kubelet.capacity(RESOURCE) == 1)
    assert kubelet.health(RESOURCE)[held] == "Healthy"
    kubelet.until(lambda: broken(kubelet) == {Rule.DEVICE_DROPPED})


def test_what_was_listed_must_not_be_forgotten_over_restarts(
    kubelet: Kubelet, plugin: SmallPlugin, start: Callable[..., SmallPlugin]
) -> None:
    plugin.close()
    kubelet.restart()
    start([device("m0")], name="again.sock").register()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 1)
    kubelet.until(lambda: broken(kubelet) == {Rule.DEVICE_DROPPED})


def test_capacity_outlives_its_plugin_for_the_grace_time(directory: Path, start: Callable[..., SmallPlugin]) -> None:
    with Kubelet(directory, grace=0.2) as kubelet:
        plugin = start(TWO)
        plugin.register()
        kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
        plugin.close()
        gone = kubelet.next("disconnect").at
        kubelet.until(lambda: kubelet.capacity(RESOURCE) != 2)
        assert kubelet.capacity(RESOURCE) is None
        kubelet.journal.note("seen")
        assert kubelet.next("seen").at - gone >= 0.2
        assert kubelet.health(RESOURCE) == {"m0": "Healthy", "m1": "Healthy"}


def test_a_plugin_that_is_gone_has_capacity_and_nothing_to_allocate(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    plugin.close()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 0)
    assert kubelet.capacity(RESOURCE) == 2
    assert kubelet.health(RESOURCE) == {"m0": "Healthy", "m1": "Healthy"}
    with pytest.raises(UnexpectedAdmissionError, match="no healthy devices"):
        kubelet.admit("pod", "main", RESOURCE)


# Pods


def test_an_answer_is_replayed_whatever_becomes_of_the_plugin(
    directory: Path, kubelet: Kubelet, plugin: SmallPlugin
) -> None:
    ids = kubelet.admit("pod", "main", RESOURCE, 2)
    assert ids == {"m0", "m1"}
    assert plugin.calls == [("Allocate", ("m0", "m1"))]
    names = kubelet.replay("pod", "main")
    assert names == ("acme.com/modem=m0", "acme.com/modem=m1")
    plugin.close()
    kubelet.restart()
    assert kubelet.replay("pod", "main") == names
    assert kubelet.admit("pod", "main", RESOURCE, 2, running=True) == ids
    assert len(plugin.calls) == 1
    (entry,) = data(directory)["PodDeviceEntries"]
    assert entry["DeviceIDs"] == {"-1": ["m0", "m1"]}
    assert kubelet.breaches == ()


def test_a_pod_comes_before_its_resource_and_is_refused_for_good(kubelet: Kubelet) -> None:
    with pytest.raises(UnexpectedAdmissionError, match="unregistered"):
        kubelet.admit("pod", "main", RESOURCE)


def test_only_healthy_devices_that_are_free_are_handed_out(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    plugin.list(*TWO, device("m2", "Unhealthy"))
    kubelet.until(lambda: kubelet.capacity(RESOURCE) == 3)
    with pytest.raises(UnexpectedAdmissionError, match="unavailable"):
        kubelet.admit("greedy", "main", RESOURCE, 3)
    first, second = kubelet.admit("one", "main", RESOURCE), kubelet.admit("two", "main", RESOURCE)
    assert first | second == {"m0", "m1"}
    with pytest.raises(UnexpectedAdmissionError, match="unavailable"):
        kubelet.admit("three", "main", RESOURCE)
    kubelet.delete("one")
    assert kubelet.admit("three", "main", RESOURCE) == first


def test_the_checkpoint_shows_a_deleted_pod_until_the_next_is_admitted(
    directory: Path, kubelet: Kubelet, plugin: SmallPlugin
) -> None:
    def pods() -> list[str]:
        return [entry["PodUID"] for entry in data(directory)["PodDeviceEntries"] or ()]

    kubelet.admit("one", "main", RESOURCE)
    kubelet.delete("one")
    assert pods() == ["one"]
    kubelet.admit("two", "main", RESOURCE)
    assert pods() == ["two"]
    kubelet.delete("two", at_once=True)
    assert pods() == []
    with pytest.raises(LookupError):
        kubelet.replay("two", "main")


@pytest.mark.parametrize("health", ["Unhealthy", "gone"])
def test_after_a_restart_a_pod_whose_device_is_ill_is_refused_unless_it_runs(
    kubelet: Kubelet, plugin: SmallPlugin, health: str
) -> None:
    ids = kubelet.admit("pod", "main", RESOURCE, 1)
    plugin.list(*(device(one, "Unhealthy" if one in ids else "Healthy") for one in ("m0", "m1")))
    plugin.follow()
    kubelet.restart()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 1)
    with pytest.raises(UnexpectedAdmissionError, match="no longer healthy"):
        kubelet.admit("pod", "main", RESOURCE, 1)
    assert kubelet.admit("pod", "main", RESOURCE, 1, running=True) == ids


def test_an_error_from_allocate_fails_the_pod_and_frees_its_devices(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    def refuse(ids: Sequence[str]) -> pb.AllocateResponse:
        raise RefusalError("no device m9")

    plugin.answer = refuse
    with pytest.raises(UnexpectedAdmissionError, match=r"Allocate failed due to .*NOT_FOUND: no device m9"):
        kubelet.admit("pod", "main", RESOURCE, 2)
    plugin.answer = cdi_answer
    assert kubelet.admit("pod", "main", RESOURCE, 2) == {"m0", "m1"}


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (pb.ContainerAllocateResponse(devices=[pb.DeviceSpec(host_path="/dev/a")]), Rule.ANSWER),
        (pb.ContainerAllocateResponse(cdi_devices=[pb.CDIDevice(name="kvm0")]), Rule.CDI_NAME),
    ],
)
def test_an_answer_with_more_or_less_than_cdi_names_is_a_breach(
    kubelet: Kubelet, plugin: SmallPlugin, answer: pb.ContainerAllocateResponse, rule: Rule
) -> None:
    plugin.answer = lambda ids: pb.AllocateResponse(container_responses=[answer])
    kubelet.admit("pod", "main", RESOURCE)
    assert rule in broken(kubelet)


def test_no_answer_for_the_container_fails_the_pod(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    plugin.answer = lambda ids: pb.AllocateResponse()
    with pytest.raises(UnexpectedAdmissionError, match="no containers return"):
        kubelet.admit("pod", "main", RESOURCE)
    assert broken(kubelet) == {Rule.ANSWER}


def test_calls_by_hand_reach_the_plugin(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    answer = kubelet.plugin(RESOURCE).allocate(["m1"])
    assert answer.container_responses[0].cdi_devices[0].name == "acme.com/modem=m1"
    with pytest.raises(LookupError):
        kubelet.plugin("acme.com/disk")


PREFERS = pb.DevicePluginOptions(get_preferred_allocation_available=True)


@pytest.mark.parametrize(
    ("choice", "ids", "rules"),
    [
        (["m2", "m1"], {"m1", "m2"}, set()),
        (["m2"], {"m0", "m2"}, set()),
        ([], {"m0", "m1"}, set()),
        (["m9", "m2"], {"m0", "m2"}, {Rule.PREFERRED}),
    ],
)
def test_the_plugin_chooses_among_what_is_available(
    kubelet: Kubelet, start: Callable[..., SmallPlugin], choice: list[str], ids: set[str], rules: set[Rule]
) -> None:
    plugin = start([*TWO, device("m2"), device("m3", "Unhealthy")], options=PREFERS)
    asked: list[tuple[list[str], int]] = []

    def prefer(available: Sequence[str], size: int) -> list[str]:
        asked.append((list(available), size))
        return choice

    plugin.prefer = prefer
    plugin.register()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 3)
    assert kubelet.admit("pod", "main", RESOURCE, 2) == ids
    assert asked == [(["m0", "m1", "m2"], 2)]
    assert broken(kubelet) == rules


def test_an_error_from_the_choice_fails_the_pod(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> None:
    def refuse(available: Sequence[str], size: int) -> list[str]:
        raise RefusalError("undecided")

    plugin = start(TWO, options=PREFERS)
    plugin.prefer = refuse
    plugin.register()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    with pytest.raises(UnexpectedAdmissionError, match="undecided"):
        kubelet.admit("pod", "main", RESOURCE)
    assert plugin.calls == []


def test_numa_nodes_are_kept_with_the_devices(
    directory: Path, kubelet: Kubelet, start: Callable[..., SmallPlugin]
) -> None:
    start([device("m0", "Healthy", 0), device("m1", "Healthy", 0, 1), device("m2")]).register()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 3)
    kubelet.admit("pod", "main", RESOURCE, 3)
    (entry,) = data(directory)["PodDeviceEntries"]
    assert entry["DeviceIDs"] == {"-1": ["m2"], "0": ["m0", "m1"], "1": ["m1"]}


def test_pre_start_is_called_at_every_start_where_the_plugin_asks_for_it(
    kubelet: Kubelet, start: Callable[..., SmallPlugin]
) -> None:
    plugin = start(TWO, options=pb.DevicePluginOptions(pre_start_required=True))
    plugin.register()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    (held,) = kubelet.admit("pod", "main", RESOURCE)
    for _ in range(2):
        kubelet.replay("pod", "main")
    assert plugin.calls == [("Allocate", (held,)), *2 * [("PreStartContainer", (held,))]]


@pytest.mark.parametrize(
    "content", ["", "{}", '{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{}},"Checksum":1}']
)
def test_a_spoilt_checkpoint_is_as_none(directory: Path, content: str) -> None:
    (directory / CHECKPOINT).write_text(content)
    with Kubelet(directory) as kubelet:
        kubelet.next("checkpoint-unread")
        assert kubelet.capacity(RESOURCE) is None


# Trouble


def test_a_kubelet_hangs_in_register(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> None:
    kubelet.hang_in_register(0.2)
    plugin = start(TWO)
    plugin.register()
    register, registered = kubelet.next("register"), kubelet.next("registered")
    assert registered.at - register.at >= 0.2


def test_a_kubelet_that_hangs_in_register_can_be_killed(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> None:
    kubelet.hang_in_register(3600)
    plugin = start(TWO)
    plugin.follow()
    kubelet.next("register")
    kubelet.hang_in_register(0)
    kubelet.restart()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    assert kubelet.breaches == ()


def test_a_kubelet_that_dials_in_vain_can_be_killed(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> None:
    plugin = start(TWO)

    def register() -> None:
        with pytest.raises(grpc.RpcError):
            plugin.register(endpoint="nobody.sock")

    registering = threading.Thread(target=register)
    registering.start()
    kubelet.next("breach")
    kubelet.stop()
    registering.join()
    stop, refused = kubelet.next("stop"), kubelet.next("refused")
    assert refused.at - stop.at < 5  # and it would have dialled for 10 s


def test_a_kubelet_refuses(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> None:
    plugin = start(TWO)
    kubelet.refuse("not today", grpc.StatusCode.RESOURCE_EXHAUSTED)
    with pytest.raises(grpc.RpcError) as error:
        plugin.register()
    assert refusal(error) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "not today")
    kubelet.accept()
    plugin.register()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 2)
    assert kubelet.breaches == ()


def test_a_frozen_kubelet_reads_nothing(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    kubelet.freeze(RESOURCE)
    lists = len(kubelet.journal.events("list"))
    for number in range(1000):
        plugin.list(*TWO, *(device(f"{number}-{other}", "Unhealthy") for other in range(100)))
    plugin.list(device("m0"), device("m1", "Unhealthy"))
    kubelet.admit("pod", "main", RESOURCE)  # other calls on the connection are not held up
    assert kubelet.allocatable(RESOURCE) == 2
    assert len(kubelet.journal.events("list")) == lists
    kubelet.thaw(RESOURCE)
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 1)


def test_a_frozen_kubelet_blames_nobody_for_an_end_that_it_does_not_see(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    kubelet.freeze()
    plugin.list(device("m0"), device("m1", "Unhealthy"))
    plugin.end_streams()
    plugin.register()
    kubelet.until(lambda: plugin.streams == 1)
    kubelet.thaw()
    kubelet.until(lambda: kubelet.journal.events("disconnect"))
    assert kubelet.breaches == ()


def test_a_frozen_kubelet_can_be_stopped(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    kubelet.freeze()
    plugin.list(device("m0"))
    kubelet.restart()
    plugin.follow()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 1)


# The plugin registry


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture
def watching(directory: Path, registry: Path) -> Iterator[Kubelet]:
    with Kubelet(directory, registry, rescan=0.01) as running:
        yield running


def test_a_socket_in_the_registry_is_registered_and_withdrawn(watching: Kubelet, registry: Path) -> None:
    with SmallPlugin(registry, TWO) as plugin:
        watching.until(lambda: watching.allocatable(RESOURCE) == 2)
        watching.until(lambda: [(status.plugin_registered, status.error) for status in plugin.statuses] == [(True, "")])
        plugin.socket.unlink()
        watching.until(lambda: watching.allocatable(RESOURCE) == 0)
        watching.next("withdrawn", RESOURCE)
        plugin.serve()
        watching.until(lambda: watching.allocatable(RESOURCE) == 2)
        watching.restart()
        assert plugin.socket.exists()
        watching.until(lambda: watching.allocatable(RESOURCE) == 2)
    assert watching.breaches == ()


def test_the_socket_may_name_another(watching: Kubelet, registry: Path, directory: Path) -> None:
    with SmallPlugin(directory, TWO) as serving:
        info = registration.PluginInfo(
            type="DevicePlugin", name=RESOURCE, endpoint=str(serving.socket), supported_versions=["v1", "v1beta1"]
        )
        with SmallPlugin(registry, info=info):
            watching.until(lambda: watching.allocatable(RESOURCE) == 2)
            assert watching.plugin(RESOURCE).socket == str(serving.socket)
    assert watching.breaches == ()


@pytest.mark.parametrize(
    ("info", "rule"),
    [
        (registration.PluginInfo(type="CSIPlugin", name=RESOURCE, supported_versions=["v1beta1"]), Rule.VERSION),
        (registration.PluginInfo(type="DevicePlugin", name=RESOURCE, supported_versions=["v1"]), Rule.VERSION),
        (registration.PluginInfo(type="DevicePlugin", name=RESOURCE), Rule.VERSION),
        (registration.PluginInfo(type="DevicePlugin", name="m", supported_versions=["v1beta1"]), Rule.RESOURCE_NAME),
    ],
)
def test_a_wrong_announcement_is_refused(
    watching: Kubelet, registry: Path, info: registration.PluginInfo, rule: Rule
) -> None:
    with SmallPlugin(registry, TWO, info=info) as plugin:
        status = watching.until(lambda: plugin.statuses)[0]
    assert not status.plugin_registered
    assert status.error
    assert broken(watching) == {rule}
    assert watching.capacity(RESOURCE) is None


def test_what_is_no_visible_socket_is_passed_over(watching: Kubelet, registry: Path) -> None:
    (registry / "file.sock").touch()
    with SmallPlugin(registry, TWO, "acme.com/hidden", name=".hidden.sock"), SmallPlugin(registry, TWO):
        watching.until(lambda: watching.allocatable(RESOURCE) == 2)
    assert {event.resource for event in watching.journal.events("get-info")} == {RESOURCE}


def test_a_socket_that_nobody_serves_holds_up_no_other(directory: Path, registry: Path) -> None:
    registry.mkdir()
    with (
        bound(registry / "dead.sock"),
        Kubelet(directory, registry, rescan=0.01, dial=0.2) as watching,
        SmallPlugin(registry, TWO),
    ):
        watching.until(lambda: watching.allocatable(RESOURCE) == 2)
        watching.next("registry-failed")


def _registers_first(watching: Kubelet, registering: SmallPlugin, announcing: SmallPlugin) -> None:
    registering.register()
    watching.until(lambda: watching.allocatable(RESOURCE) == 2)
    announcing.serve()


def _announces_first(watching: Kubelet, registering: SmallPlugin, announcing: SmallPlugin) -> None:
    announcing.serve()
    watching.until(lambda: watching.allocatable(RESOURCE) == 2)
    registering.register()


@pytest.mark.parametrize("both", [_registers_first, _announces_first])
def test_both_ways_for_one_resource_are_a_breach(
    watching: Kubelet,
    registry: Path,
    directory: Path,
    both: Callable[[Kubelet, SmallPlugin, SmallPlugin], None],
) -> None:
    with SmallPlugin(directory, TWO) as registering:
        announcing = SmallPlugin(registry, TWO)
        both(watching, registering, announcing)
        watching.until(lambda: Rule.BOTH_WAYS in broken(watching))
        announcing.close()


# Size


def test_a_hundred_resources(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> None:
    resources = [f"acme.com/r{number}" for number in range(100)]
    plugins = [start(TWO, resource, name=f"{number}.sock") for number, resource in enumerate(resources)]
    for plugin in plugins:
        plugin.register()
    kubelet.until(lambda: all(kubelet.allocatable(resource) == 2 for resource in resources), 30)
    kubelet.stop()
    assert kubelet.breaches == ()


def test_ten_thousand_devices(kubelet: Kubelet, start: Callable[..., SmallPlugin]) -> None:
    devices = [device(f"device-with-a-longer-name-{number}", "Healthy", 0) for number in range(10_000)]
    plugin = start(devices)
    plugin.register()
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 10_000)
    devices[5000].health = "Unhealthy"
    plugin.list(*devices)
    kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 9_999)
    last: Event = kubelet.journal.events("list")[-1]
    assert last.facts["changed"] == {"device-with-a-longer-name-5000": "Unhealthy"}
    assert kubelet.breaches == ()


def test_a_thousand_reconnects_leave_nothing_behind(kubelet: Kubelet, plugin: SmallPlugin) -> None:
    def open_now() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    plugin.follow()
    after: list[tuple[int, int]] = []
    for number in range(1000):
        since = len(kubelet.journal)
        plugin.end_streams()
        kubelet.next("stream-end", since=since)
        kubelet.next("list", since=since)
        if number in (50, 999):
            kubelet.until(lambda: plugin.streams == 1)
            after.append(open_now())
    early, late = after
    assert late[0] <= early[0] + 8  # gRPC's own come and go
    assert late[1] <= early[1] + 8
    assert kubelet.breaches == ()

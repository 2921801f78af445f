from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kubelet.journal import Rule
from tests.kubelet.pb import deviceplugin_pb2 as pb
from tests.kubelet.plugin import bound, cdi_answer, device
from tests.kubelet.rules import (
    STANDARD_DIRECTORY,
    answer_problems,
    list_problems,
    resource_problem,
    socket_problems,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.kubelet.rules import Wrong


def rules(problems: Iterable[Wrong]) -> list[Rule]:
    return [rule for rule, _ in problems]


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("acme.com/modem", True),
        ("pflex.io/block", True),
        ("power-dev-plugin/dev", True),
        ("acme.com/Modem_4G.x", True),
        ("acme.com/" + "m" * 63, True),
        ("a" * 63 + ".com/modem", True),
        ("acme.com/" + "m" * 64, False),
        ("acme.com/", False),
        ("acme.com/modem.", False),
        ("acme.com/modem/4g", False),
        ("acme.com/mo dem", False),
        ("acme.com/mödem", False),
        ("modem", False),
        ("", False),
        ("/modem", False),
        ("Acme.com/modem", False),
        ("acme_labs.com/modem", False),
        ("acme..com/modem", False),
        (".".join(["a" * 61] * 4) + "/modem", False),
        ("kubernetes.io/modem", False),
        ("node.kubernetes.io/modem", False),
        ("requests.acme.com/modem", False),
    ],
)
def test_a_resource_name_is_judged_as_the_kubelet_does(name: str, taken: bool) -> None:
    assert (resource_problem(name) is None) is taken


@pytest.mark.parametrize(
    ("devices", "before", "held", "broken"),
    [
        ([device("a"), device("b", "Unhealthy")], {}, (), []),
        ([], {}, (), []),
        ([device("x" * 63)], {}, (), []),
        ([device("x" * 64)], {}, (), [Rule.DEVICE_ID]),
        ([device("")], {}, (), [Rule.DEVICE_ID]),
        ([device("a", "healthy")], {}, (), [Rule.HEALTH_WORD]),
        ([device("a", "")], {}, (), [Rule.HEALTH_WORD]),
        ([device("a"), device("a")], {}, (), [Rule.DUPLICATE_ID]),
        ([], {"a": "Unhealthy"}, (), []),
        ([], {"a": "Healthy"}, (), [Rule.DEVICE_DROPPED]),
        ([], {"a": "Unhealthy"}, ("a",), [Rule.DEVICE_DROPPED]),
        ([], {}, ("a",), [Rule.DEVICE_DROPPED]),
        ([device("a", "Unhealthy")], {"a": "Healthy"}, ("a",), []),
    ],
)
def test_a_list_is_judged(
    devices: Sequence[pb.Device], before: Mapping[str, str], held: Sequence[str], broken: list[Rule]
) -> None:
    assert rules(list_problems(devices, before, held)) == broken


def _answer(**fields: object) -> pb.AllocateResponse:
    answer = cdi_answer(["m0"])
    answer.container_responses[0].MergeFrom(pb.ContainerAllocateResponse(**fields))  # type: ignore[arg-type]
    return answer


@pytest.mark.parametrize(
    ("answer", "broken"),
    [
        (cdi_answer(["m0", "m1"]), []),
        (_answer(envs={"A": "B"}), [Rule.ANSWER]),
        (_answer(mounts=[pb.Mount(container_path="/a", host_path="/b")]), [Rule.ANSWER]),
        (_answer(devices=[pb.DeviceSpec(container_path="/dev/a", host_path="/dev/a")]), [Rule.ANSWER]),
        (_answer(annotations={"cdi.k8s.io/acme": "acme.com/modem=m0"}), [Rule.ANSWER]),
        (cdi_answer([]), [Rule.ANSWER]),
        (pb.AllocateResponse(), [Rule.ANSWER]),
        (pb.AllocateResponse(container_responses=2 * list(cdi_answer(["m0"]).container_responses)), [Rule.ANSWER]),
        (_answer(cdi_devices=[pb.CDIDevice(name="m0")]), [Rule.CDI_NAME]),
        (_answer(cdi_devices=[pb.CDIDevice(name="acme.com/modem=")]), [Rule.CDI_NAME]),
        (_answer(cdi_devices=[pb.CDIDevice(name="acme.com/modem=/dev/ttyUSB0")]), [Rule.CDI_NAME]),
    ],
)
def test_an_answer_is_judged(answer: pb.AllocateResponse, broken: list[Rule]) -> None:
    assert rules(answer_problems(answer)) == broken


@pytest.mark.parametrize(("length", "broken"), [(75, []), (76, [Rule.SOCKET_PATH])])
def test_a_socket_must_fit_below_the_standard_directory(length: int, broken: list[Rule]) -> None:
    # Not below pytest's directory, which may be deeper than the standard one.
    with tempfile.TemporaryDirectory(dir="/tmp") as directory, bound(path := Path(directory, "s" * length)):
        assert rules(socket_problems(str(path), STANDARD_DIRECTORY)) == broken


@pytest.mark.parametrize(("mode", "broken"), [(0o600, []), (0o666, [Rule.SOCKET_MODE]), (0o755, [Rule.SOCKET_MODE])])
def test_a_socket_is_its_owners_alone(tmp_path: Path, mode: int, broken: list[Rule]) -> None:
    path = tmp_path / "s.sock"
    with bound(path, mode):
        assert rules(socket_problems(str(path), STANDARD_DIRECTORY)) == broken


def test_a_file_and_nothing_are_no_sockets(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "nothing"):
        assert rules(socket_problems(str(tmp_path / name), STANDARD_DIRECTORY)) == [Rule.NOT_SERVING]

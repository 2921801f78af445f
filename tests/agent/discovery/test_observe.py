from __future__ import annotations

import os

import pytest

from agent import templates
from agent.config.settings import Declared, DeviceClass, Selector
from agent.discovery.observe import observe
from agent.discovery.sysfs import Look
from agent.host import Blind, Observation
from agent.patterns import path_pattern, value_pattern
from cdi.model import ContainerEdits, Device, DeviceNode
from tests.agent.trees import Node, usb_serial
from tests.agent.users import as_nobody

pytestmark = pytest.mark.root


def selector(*devnode: str, subsystem: str = "", attributes: dict[str, str] | None = None) -> Selector:
    return Selector(
        devnode=tuple(map(path_pattern, devnode)),
        subsystem=(value_pattern(subsystem),) if subsystem else (),
        attributes={name: (value_pattern(glob),) for name, glob in (attributes or {}).items()},
    )


def device_class(*selects: Selector, excludes: tuple[Selector, ...] = (), kind: str = "acme.com/x") -> DeviceClass:
    return DeviceClass(kind=kind, origin="", name=templates.parse("{sysname}"), selects=selects, excludes=excludes)


def seen(node: Node, *selects: Selector, excludes: tuple[Selector, ...] = ()) -> Observation:
    return observe([device_class(*selects, excludes=excludes)], Look(node.roots, None))["acme.com/x"]


def names(observation: Observation) -> list[str]:
    return [os.path.basename(device.node) for device in observation.devices]


@pytest.fixture
def disks(node: Node) -> Node:
    for name in ("dm-0", "dm-1", "dm-2", "sda"):
        node.null(name)
    node.link("mapper/mpatha", "../dm-1")
    node.link("mapper/other", "../sda")
    return node


@pytest.mark.parametrize(
    ("globs", "excluded", "found"),
    [
        (["dm-*"], [], ["dm-0", "dm-1", "dm-2"]),
        (["dm-1"], [], ["dm-1"]),
        (["nothing"], [], []),
        (["mapper/*"], [], ["dm-1", "sda"]),
        (["mapper/mpatha", "dm-*"], [], ["dm-0", "dm-1", "dm-2"]),
        (["**"], [], ["dm-0", "dm-1", "dm-2", "sda"]),
        (["dm-*"], ["dm-1"], ["dm-0", "dm-2"]),
        (["dm-*"], ["mapper/*"], ["dm-0", "dm-2"]),
        (["mapper/*"], ["dm-*"], ["sda"]),
        (["*"], ["*"], []),
    ],
)
def test_nodes_are_found_by_their_name_or_any_link(
    disks: Node, globs: list[str], excluded: list[str], found: list[str]
) -> None:
    excludes = tuple(selector(disks.path(glob)) for glob in excluded)
    assert names(seen(disks, selector(*map(disks.path, globs)), excludes=excludes)) == found


def test_devices_are_found_by_facts_alone(node: Node) -> None:
    usb_serial(node, 1)
    usb_serial(node, 2)
    node.kernel("virtual/mem/null", subsystem="mem", number="1:3", uevent="DEVNAME=null\n")
    node.null("null")
    assert names(seen(node, selector(subsystem="tty"))) == ["ttyUSB1", "ttyUSB2"]
    assert names(seen(node, selector(attributes={"uevent": "*MINOR=2*"}))) == ["ttyUSB2"]
    assert names(seen(node, selector(subsystem="mem"), selector(node.path("ttyUSB1")))) == ["null", "ttyUSB1"]


def test_each_class_has_an_observation_of_its_own(disks: Node) -> None:
    both = observe(
        [device_class(selector(disks.path("dm-*"))), device_class(selector(disks.path("*a")), kind="acme.com/y")],
        Look(disks.roots, None),
    )
    assert {kind: names(one) for kind, one in both.items()} == {
        "acme.com/x": ["dm-0", "dm-1", "dm-2"],
        "acme.com/y": ["sda"],
    }


def test_a_link_outside_dev_takes_a_device_by_any_select(disks: Node) -> None:
    (disks.top / "opt").mkdir()
    (disks.top / "opt/mine").symlink_to(disks.dev / "dm-2")
    assert names(seen(disks, selector(f"{disks.top}/opt/*"))) == ["dm-2"]
    excludes = (selector(f"{disks.top}/opt/*"),)
    assert names(seen(disks, selector(disks.path("dm-*")), excludes=excludes)) == ["dm-0", "dm-1"]


def test_nodes_below_a_linked_directory_are_taken_once(disks: Node) -> None:
    disks.null("real/x")
    disks.link("link", "real")
    assert names(seen(disks, selector(disks.path("link/*")))) == ["x"]
    assert [device.node for device in seen(disks, selector(disks.path("link/*"), disks.path("real/*"))).devices] == [
        disks.path("real/x")
    ]


def test_declared_nodes_that_are_not_there_are_absent(node: Node) -> None:
    node.null("here")
    node.link("link", "here")
    paths = [node.path(name) for name in ("here", "link", "gone")]
    edits = ContainerEdits(
        device_nodes=(
            *(DeviceNode(path=path) for path in paths),
            DeviceNode(path="/dev/null", host_path=node.path("host-gone")),
        )
    )
    declared = DeviceClass(
        kind="acme.com/x",
        origin="",
        name=templates.parse("{sysname}"),
        declared=(Declared(device=Device(name="x", container_edits=edits)),),
    )
    observation = observe([declared], Look(node.roots, None))["acme.com/x"]
    assert observation.absent == {node.path("gone"), node.path("host-gone")}


class SlowUdev:
    """A udevd that owes work on some devices."""

    def __init__(self, *syspaths: str) -> None:
        self.syspaths = syspaths

    def properties(self, syspath: str) -> None:
        return None

    def tags(self, syspath: str) -> frozenset[str]:
        return frozenset()

    def owes(self, syspath: str, node_changed: float) -> bool:
        return os.path.basename(syspath) in self.syspaths


def test_a_device_that_udev_is_not_done_with_is_blind_and_pending(node: Node) -> None:
    usb_serial(node, 1)
    usb_serial(node, 2)
    node.null("copy", 188, 1)
    globs = (selector(node.path("ttyUSB*"), node.path("copy")),)
    look = Look(node.roots, SlowUdev("ttyUSB1"))
    observation = observe([device_class(*globs)], look)["acme.com/x"]
    assert names(observation) == ["copy", "ttyUSB2"]
    assert observation.blind == (Blind(node.path("ttyUSB1"), "udev has not finished with it", pending=True),)


def observed_by_nobody(node: Node, *selects: Selector) -> str:
    def attempt() -> str:
        observation = seen(node, *selects)
        return f"{names(observation)} {sorted((blind.path, blind.below) for blind in observation.blind)}"

    return as_nobody(attempt, node.top)


def test_what_may_not_be_looked_at_is_blind_and_ends_nothing(node: Node) -> None:
    node.null("closed/x")
    node.null("open")
    (node.dev / "closed").chmod(0o700)
    closed, hidden = node.path("closed"), node.path("closed/x")
    opened = selector(node.path("open"))
    assert observed_by_nobody(node, selector(node.path("closed/*")), opened) == f"['open'] [('{closed}', True)]"
    assert observed_by_nobody(node, selector(hidden), opened) == f"['open'] [('{hidden}', False)]"


def test_a_link_to_what_may_not_be_looked_at_leaves_its_target_unseen(node: Node) -> None:
    node.null("closed/x")
    node.link("link", "closed/x")
    node.link("directory", "closed")
    (node.dev / "closed").chmod(0o700)
    closed, hidden = node.path("closed"), node.path("closed/x")
    assert observed_by_nobody(node, selector(node.path("link"))) == f"[] [('{hidden}', False)]"
    assert observed_by_nobody(node, selector(node.path("directory/x"))) == f"[] [('{hidden}', False)]"
    assert observed_by_nobody(node, selector(node.path("directory/*"))) == f"[] [('{closed}', True)]"


def test_outside_dev_what_may_not_be_looked_at_is_blind_too(node: Node) -> None:
    node.null("../opt/x")
    node.null("open")
    (node.top / "opt").chmod(0o700)
    hidden = f"{node.top}/opt/x"
    wanted = (selector(hidden), selector(node.path("open")))
    assert observed_by_nobody(node, *wanted) == f"['open'] [('{hidden}', False)]"


def test_a_kernel_device_that_may_not_be_looked_at_is_blind(node: Node) -> None:
    node.kernel("x/y", subsystem="tty", number="1:3", uevent="DEVNAME=closed/y\n")
    node.null("closed/y")
    (node.dev / "closed").chmod(0o700)
    usb_serial(node, 1)
    assert observed_by_nobody(node, selector(subsystem="tty")) == f"['ttyUSB1'] [('{node.path('closed/y')}', False)]"


def test_a_fact_that_may_not_be_read_makes_its_device_blind(node: Node) -> None:
    node.kernel("x/y", number="1:3", attributes={"secret": "1"})
    (node.top / "sys/devices/x/y/secret").chmod(0o600)
    node.null("y")
    node.null("z", 1, 5)
    wanted = selector(node.path("*"), attributes={"secret": "1"})
    assert observed_by_nobody(node, wanted) == f"[] [('{node.path('y')}', False)]"


def test_the_order_of_selects_changes_nothing(disks: Node) -> None:
    one, two = selector(disks.path("dm-*")), selector(disks.path("mapper/*"))
    assert names(seen(disks, one, two)) == names(seen(disks, two, one)) == ["dm-0", "dm-1", "dm-2", "sda"]

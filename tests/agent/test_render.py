from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import templates
from agent.config.settings import DEFAULT_NAME, Declared, DeviceClass, EditsTemplate, NodeEdits
from agent.host import Blind, Observation
from agent.render import Rendered, render
from cdi import codec, schema, validation
from cdi.model import ContainerEdits, Device, DeviceNode, Mount, Spec
from tests.agent.fakes import FakeDevice, usb

if TYPE_CHECKING:
    from collections.abc import Mapping


def device_class(
    name: str = "{serial|sysname}",
    *,
    kind: str = "acme.com/modem",
    path: str | None = None,
    permissions: str = "rw",
    group: bool = False,
    edits: ContainerEdits | None = None,
    declared: tuple[Declared, ...] = (),
) -> DeviceClass:
    return DeviceClass(
        kind=kind,
        origin="config.toml:3:1",
        name=templates.parse(name),
        node=NodeEdits(
            permissions=permissions,
            path=None if path is None else templates.parse(path, extra=templates.IN_EDITS),
            group=group,
        ),
        container_edits=edits or ContainerEdits(),
        declared=declared,
    )


def rendered(
    wanted: DeviceClass,
    *devices: FakeDevice,
    before: Spec | None = None,
    taken: Mapping[str, str] | None = None,
    blind: tuple[Blind, ...] = (),
    absent: tuple[str, ...] = (),
    max_version: str | None = None,
) -> Rendered:
    observation = Observation(devices=devices, blind=blind, absent=frozenset(absent))
    previous = {device.name: device for device in before.devices} if before else {}
    return render(wanted, observation, lambda: previous, taken or {}, max_version)


def nodes(one: Rendered) -> dict[str, str]:
    """Each device's node on the host, by its name in the spec."""
    if one.spec is None:
        return {}
    return {
        device.name: node.host_path or node.path
        for device in one.spec.devices
        for node in device.container_edits.device_nodes
    }


def told(one: Rendered) -> str:
    return "\n".join(map(str, one.problems))


def warned(one: Rendered) -> str:
    return "\n".join(map(str, one.warnings))


def serial(number: int, word: str = "") -> FakeDevice:
    return FakeDevice(
        node=f"/dev/ttyUSB{number}",
        minor=number,
        properties={"ID_SERIAL_SHORT": word} if word else {},
    )


A0, A1, B1 = serial(0, "A"), serial(1, "A"), serial(1, "B")


def test_a_device_becomes_a_device_of_the_spec() -> None:
    one = rendered(device_class(), A0)
    assert one.spec == Spec(
        version="0.3.0",
        kind="acme.com/modem",
        devices=(
            Device(
                name="A",
                container_edits=ContainerEdits(
                    device_nodes=(DeviceNode(path="/dev/ttyUSB0", permissions="rw"),),
                ),
            ),
        ),
    )
    assert [(offer.name, offer.nodes, offer.present, offer.kept) for offer in one.offers] == [
        ("A", ("/dev/ttyUSB0",), True, False)
    ]
    assert (one.file_name, one.problems, one.warnings, one.held) == ("cdi-sync+acme.com+modem.json", (), (), False)


def test_a_class_without_devices_has_no_spec() -> None:
    one = rendered(device_class())
    assert (one.spec, one.offers, one.problems, one.held) == (None, (), (), False)


def test_a_discovered_node_carries_no_numbers() -> None:
    one = rendered(device_class(), FakeDevice(major=188, minor=3))
    assert one.spec is not None
    assert b"major" not in codec.encode(one.spec)


@pytest.mark.parametrize(
    ("permissions", "written"), [("rw", "rw"), ("wr", "rw"), ("mwr", "rwm"), ("m", "m"), ("r", "r")]
)
def test_permissions_are_written_in_their_usual_order(permissions: str, written: str) -> None:
    one = rendered(device_class(permissions=permissions), A0)
    assert one.spec is not None
    assert one.spec.devices[0].container_edits.device_nodes[0].permissions == written


@pytest.mark.parametrize(
    ("group", "gid", "gids", "version"),
    [(True, 20, (20,), "0.7.0"), (True, 0, (), "0.3.0"), (False, 20, (), "0.3.0")],
)
def test_the_nodes_group_is_added_where_asked_for(*, group: bool, gid: int, gids: tuple[int], version: str) -> None:
    one = rendered(device_class(group=group), FakeDevice(gid=gid))
    assert one.spec is not None
    assert one.spec.devices[0].container_edits.additional_gids == gids
    assert one.spec.version == version


@pytest.mark.parametrize(
    ("path", "device", "inside", "host"),
    [
        (None, A0, "/dev/ttyUSB0", ""),
        ("/dev/modem/{name}", A0, "/dev/modem/A", "/dev/ttyUSB0"),
        ("/dev/{devnode}", A0, "/dev/ttyUSB0", ""),
        ("/dev/x/{devnode}", A0, "/dev/x/ttyUSB0", "/dev/ttyUSB0"),
        ("/dev/modem-{minor}", B1, "/dev/modem-1", "/dev/ttyUSB1"),
        ("/dev/fixed", A0, "/dev/fixed", "/dev/ttyUSB0"),
    ],
)
def test_a_node_has_the_path_in_the_container_that_is_asked_for(
    path: str | None, device: FakeDevice, inside: str, host: str
) -> None:
    one = rendered(device_class(path=path), device)
    assert one.spec is not None
    (node,) = one.spec.devices[0].container_edits.device_nodes
    assert (node.path, node.host_path) == (inside, host)


@pytest.mark.parametrize(
    "word", ["../../etc/passwd", "..", ".", "/", "a/b", "\x00", "\x1b[2J\n", "é" * 10_000, "\u202e"]
)
def test_a_devices_word_is_one_component_of_the_path(word: str) -> None:
    one = rendered(device_class("{sysname}", path="/dev/modem/{ID_X}/tty"), FakeDevice(properties={"ID_X": word}))
    assert one.spec is not None
    path = one.spec.devices[0].container_edits.device_nodes[0].path
    parts = path.split("/")
    assert (len(parts), parts[:3], parts[4]) == (5, ["", "dev", "modem"], "tty")
    assert parts[3] not in ("", ".", "..")
    assert path.isprintable()


def test_a_device_without_a_name_is_left_out_with_a_warning() -> None:
    one = rendered(device_class("{serial|ID_PATH}"), serial(0), A1)
    assert nodes(one) == {"A": "/dev/ttyUSB1"}
    assert "/dev/ttyUSB0: has no name, since nothing is there for {serial|ID_PATH}" in warned(one)
    assert one.problems == ()


def test_a_device_without_a_path_is_left_out_with_a_warning() -> None:
    one = rendered(device_class(path="/dev/{ID_PATH}"), A0)
    assert one.spec is None
    assert "nothing is there for {ID_PATH}" in warned(one)


@pytest.mark.parametrize("node", ["/dev/a\nb", "/dev/\x1b[2J", "/dev/\udcff", "/dev/\u202e"])
def test_a_node_that_no_spec_can_hold_is_left_out_with_a_warning(node: str) -> None:
    one = rendered(device_class("x"), FakeDevice(node=node))
    assert one.spec is None
    assert "characters in its path" in warned(one)
    assert warned(one).isprintable()


def test_of_two_devices_of_one_name_the_holder_keeps_it() -> None:
    before = rendered(device_class(), A1).spec
    one = rendered(device_class(), A0, A1, before=before)
    assert one.spec == before
    assert told(one) == (
        "acme.com/modem: /dev/ttyUSB0 and /dev/ttyUSB1: would all be named 'A'; /dev/ttyUSB1 keeps it, "
        "the others are left out; name them by {sysname}, which tells them apart (ttyUSB0, ttyUSB1)"
    )


def test_without_a_holder_both_are_left_out() -> None:
    one = rendered(device_class(), A0, A1, serial(2, "C"))
    assert nodes(one) == {"C": "/dev/ttyUSB2"}
    assert "/dev/ttyUSB0 and /dev/ttyUSB1: would all be named 'A'; all are left out" in told(one)


def test_a_name_that_two_words_come_to_is_one_name() -> None:
    one = rendered(device_class(), serial(0, "a b"), serial(1, "a-b"))
    assert one.spec is None
    assert "would all be named 'a-b'" in told(one)


def test_the_holder_of_a_name_is_whose_node_stands_in_the_spec() -> None:
    before = rendered(device_class(path="/dev/modem"), A1).spec
    assert nodes(rendered(device_class(path="/dev/modem"), A0, A1, before=before)) == {"A": "/dev/ttyUSB1"}


def test_many_of_one_name_are_told_briefly() -> None:
    one = rendered(device_class("x"), *(serial(number, f"S{number}") for number in range(9)))
    assert "/dev/ttyUSB3 and 5 more: would all be named 'x'" in told(one)


@pytest.mark.parametrize(
    ("first", "second", "advice"),
    [
        ({"properties": {"ID_SERIAL_SHORT": "1"}}, {"properties": {"ID_SERIAL_SHORT": "2"}}, "{serial}"),
        ({"ancestors": (usb("1-1"),)}, {"ancestors": (usb("1-2"),)}, "{usb:port}"),
        ({"ancestors": (usb("1-1"),)}, {}, "{sysname}"),
        ({"kernel_name": "same"}, {"kernel_name": "same"}, "choose a name template that tells them apart"),
        ({"kernel_name": "same"}, {"unreadable": frozenset({"device/serial"})}, "{sysname}"),
    ],
)
def test_what_tells_two_of_one_name_apart(
    first: Mapping[str, object], second: Mapping[str, object], advice: str
) -> None:
    devices = (FakeDevice(node="/dev/a", **first), FakeDevice(node="/dev/b", **second))  # type: ignore[arg-type]
    assert advice in told(rendered(device_class("x"), *devices))


def declared(name: str, *paths: str, always: bool = False) -> Declared:
    edits = ContainerEdits(device_nodes=tuple(DeviceNode(path=path) for path in paths), env=("X=1",))
    return Declared(device=Device(name=name, container_edits=edits), always=always)


def test_a_declared_device_is_written_as_it_stands() -> None:
    one = rendered(device_class(declared=(declared("kvm0", "/dev/kvm"),)))
    assert one.spec is not None
    assert one.spec.devices == (declared("kvm0", "/dev/kvm").device,)


@pytest.mark.parametrize(
    ("device", "absent", "present"),
    [
        (declared("x", "/dev/a", "/dev/b"), (), True),
        (declared("x", "/dev/a", "/dev/b"), ("/dev/b",), False),
        (declared("x", "/dev/a", always=True), ("/dev/a",), True),
        (declared("x"), (), True),
    ],
)
def test_a_declared_device_is_there_with_all_its_nodes(
    device: Declared, absent: tuple[str, ...], *, present: bool
) -> None:
    (offer,) = rendered(device_class(declared=(device,)), absent=absent).offers
    assert offer.present is present


def test_a_declared_device_keeps_its_name_against_a_discovered_one() -> None:
    one = rendered(device_class(declared=(declared("A", "/dev/mine"),)), A0, before=rendered(device_class(), A0).spec)
    assert nodes(one) == {"A": "/dev/mine"}
    assert "/dev/mine keeps it" in told(one)


def test_a_device_that_could_not_be_looked_at_keeps_its_entry() -> None:
    before = rendered(device_class(), A0, B1).spec
    one = rendered(device_class(), A0, before=before, blind=(Blind("/dev/ttyUSB1", "input/output error"),))
    assert one.spec == before
    assert [(offer.name, offer.kept) for offer in one.offers] == [("A", False), ("B", True)]
    assert told(one).startswith("/dev/ttyUSB1: input/output error; what was known of it stays")


def test_a_device_that_udev_is_not_done_with_keeps_its_entry_without_a_problem() -> None:
    before = rendered(device_class(), A0).spec
    one = rendered(device_class(), before=before, blind=(Blind("/dev/ttyUSB0", "too early", pending=True),))
    assert one.spec == before
    assert one.problems == ()


def test_what_is_below_a_directory_that_could_not_be_listed_keeps_its_entry() -> None:
    before = rendered(device_class(), FakeDevice(node="/opt/a/x"), FakeDevice(node="/opt/ab/y")).spec
    one = rendered(device_class(), before=before, blind=(Blind("/opt/a", "cannot be listed", below=True),))
    assert nodes(one) == {"x": "/opt/a/x"}


def test_a_device_whose_name_cannot_be_told_keeps_its_entry() -> None:
    before = rendered(device_class("{attr:x|sysname}"), FakeDevice(node="/dev/a", attributes={"x": "N"})).spec
    one = rendered(
        device_class("{attr:x|sysname}"), FakeDevice(node="/dev/a", unreadable=frozenset({"x"})), before=before
    )
    assert nodes(one) == {"N": "/dev/a"}
    assert one.offers[0].kept
    assert "acme.com/modem: /dev/a: " in told(one)


def test_what_was_never_known_is_not_made_up() -> None:
    assert rendered(device_class(), blind=(Blind("/dev/ttyUSB0", "x"),)).spec is None


def test_a_device_that_is_seen_under_another_name_is_not_kept_under_the_old_one() -> None:
    before = rendered(device_class(), A0).spec
    one = rendered(device_class(), serial(0, "Z"), before=before, blind=(Blind("/dev", "x", below=True),))
    assert nodes(one) == {"Z": "/dev/ttyUSB0"}


def test_a_name_that_anothers_spec_defines_is_left_out() -> None:
    one = rendered(device_class(), A0, B1, taken={"acme.com/modem=A": "/etc/cdi/theirs.yaml", "x.com/y=B": "/z"})
    assert nodes(one) == {"B": "/dev/ttyUSB1"}
    assert told(one) == (
        "acme.com/modem: /dev/ttyUSB0: is left out, since /etc/cdi/theirs.yaml defines acme.com/modem=A too "
        "and runtimes would drop both; remove that file, or give the class another kind or name"
    )


def test_a_newcomer_does_not_take_the_name_of_a_holder_that_cannot_be_looked_at() -> None:
    before = rendered(device_class(), serial(0, "A")).spec
    one = rendered(device_class(), serial(1, "A"), before=before, blind=(Blind("/dev/ttyUSB0", "input/output error"),))
    assert nodes(one) == {"A": "/dev/ttyUSB0"}
    assert "would be named 'A', which /dev/ttyUSB0 holds" in told(one)


def test_a_node_that_is_new_to_udev_holds_no_name() -> None:
    before = rendered(device_class(), serial(0, "A")).spec
    one = rendered(device_class(), serial(1, "A"), before=before, blind=(Blind("/dev/ttyUSB0", "early", pending=True),))
    assert nodes(one) == {"A": "/dev/ttyUSB1"}


def test_a_kept_entry_yields_to_anothers_spec_too() -> None:
    before = rendered(device_class(), A0).spec
    one = rendered(
        device_class(), before=before, blind=(Blind("/dev/ttyUSB0", "x"),), taken={"acme.com/modem=A": "/theirs"}
    )
    assert one.spec is None
    assert not one.held


def test_a_spec_that_is_too_new_for_the_runtime_is_not_written() -> None:
    one = rendered(device_class(group=True), FakeDevice(gid=5), max_version="0.6.0")
    assert (one.spec, one.held, one.offers) == (None, True, ())
    assert [offer.name for offer in one.found] == ["fake0"]
    assert told(one).startswith("config.toml:3:1: acme.com/modem needs cdiVersion 0.7.0, and max_cdi_version is 0.6.0")


def test_a_spec_that_the_runtime_reads_is_written() -> None:
    one = rendered(device_class(group=True), FakeDevice(gid=5), max_version="0.7.0")
    assert one.spec is not None
    assert not one.held


def test_nothing_too_new_is_held_where_there_is_no_device() -> None:
    assert not rendered(device_class(group=True), max_version="0.3.0").held


@pytest.mark.parametrize(
    ("wanted", "device", "version"),
    [
        (device_class(), A0, "0.3.0"),
        (device_class(path="/dev/x"), A0, "0.5.0"),
        (device_class(), serial(0, "0A"), "0.5.0"),
        (device_class(kind="acme.com/mo.dem"), A0, "0.6.0"),
        (device_class(group=True), FakeDevice(gid=5), "0.7.0"),
    ],
)
def test_a_spec_has_the_lowest_version_that_its_fields_need(
    wanted: DeviceClass, device: FakeDevice, version: str
) -> None:
    one = rendered(wanted, device)
    assert one.spec is not None
    assert one.spec.version == version


def test_edits_of_the_class_stand_once_in_the_spec() -> None:
    one = rendered(device_class(edits=ContainerEdits(env=("A=1",))), A0, B1)
    assert one.spec is not None
    assert one.spec.container_edits.env == ("A=1",)
    assert not any(device.container_edits.env for device in one.spec.devices)


WORD = st.text(st.characters(), max_size=20) | st.sampled_from(["A", "B", "../x", "é" * 300])
DEVICES = st.lists(
    st.builds(
        FakeDevice,
        node=st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=6).map(lambda name: f"/dev/{name}"),
        gid=st.integers(0, 3),
        properties=st.dictionaries(st.sampled_from(["ID_SERIAL_SHORT", "ID_PATH"]), WORD),
        unreadable=st.sets(st.just("device/serial")).map(frozenset),
    ),
    unique_by=lambda device: device.node,
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(DEVICES, DEVICES, st.integers())
def test_the_same_devices_give_the_same_valid_bytes_in_any_order(
    earlier: list[FakeDevice], devices: list[FakeDevice], seed: int
) -> None:
    wanted = device_class("{serial|ID_PATH}", path="/dev/x/{ID_PATH|devnode}-{name}", group=True)
    before = rendered(wanted, *earlier).spec
    one = rendered(wanted, *devices, before=before)
    if one.spec is None:
        return
    data = codec.encode(one.spec)
    assert codec.decode(data) == one.spec
    assert schema.check(codec.document(data)) == ()
    assert validation.check(one.spec) == ()
    random.Random(seed).shuffle(devices)
    again = rendered(wanted, *devices, before=before)
    assert again.spec is not None
    assert codec.encode(again.spec) == data
    assert rendered(wanted, *devices, before=one.spec).spec == one.spec


def modem(name: str, port: str = "1-1", **attributes: str) -> FakeDevice:
    return FakeDevice(node=f"/dev/{name}", subsystem="tty", ancestors=(usb(port, **attributes),))


def grouped(**changes: Any) -> DeviceClass:
    return replace(device_class("{serial|usb:port}"), group_by="usb", **changes)


NODES = (modem("cdc-wdm0", serial="Q"), modem("ttyUSB0", serial="Q"), modem("ttyUSB1", serial="Q"))


def test_the_nodes_of_a_group_are_one_device_in_node_order() -> None:
    one = rendered(grouped(requires=3), *NODES, modem("ttyUSB9", "1-2"))
    assert one.spec is not None
    assert [(offer.name, offer.nodes, offer.present) for offer in one.offers] == [
        ("1-2", ("/dev/ttyUSB9",), False),
        ("Q", ("/dev/cdc-wdm0", "/dev/ttyUSB0", "/dev/ttyUSB1"), True),
    ]


def test_a_group_gets_its_unseen_nodes_back() -> None:
    before = rendered(grouped(), *NODES).spec
    one = rendered(grouped(requires=3), *NODES[1:], before=before, blind=(Blind("/dev/cdc-wdm0", "x"),))
    assert one.spec == before
    assert (one.offers[0].present, one.offers[0].kept) == (True, True)


def test_a_group_that_was_not_whole_does_not_become_so_by_not_being_seen() -> None:
    before = rendered(grouped(requires=3), *NODES[1:]).spec
    blind = tuple(Blind(node.node, "input/output error") for node in NODES[1:])
    (offer,) = rendered(grouped(requires=3), before=before, blind=blind).offers
    assert (offer.kept, offer.present) == (True, False)


def test_a_group_loses_the_nodes_that_are_gone() -> None:
    before = rendered(grouped(), *NODES).spec
    (offer,) = rendered(grouped(requires=3), *NODES[1:], before=before).offers
    assert (offer.nodes, offer.present) == (("/dev/ttyUSB0", "/dev/ttyUSB1"), False)


def test_two_nodes_of_a_group_at_one_path_are_left_out_with_a_warning() -> None:
    one = rendered(grouped(node=device_class(path="/dev/modem").node), *NODES)
    assert one.spec is None
    assert "has two nodes at /dev/modem in the container" in warned(one)


def test_a_device_that_nothing_groups_is_left_out_with_a_warning() -> None:
    one = rendered(grouped(), FakeDevice(node="/dev/ttyS0"))
    assert one.spec is None
    assert "/dev/ttyS0: is left out, since nothing groups it by usb" in warned(one)


def test_what_is_true_of_thousands_is_said_once() -> None:
    many = [FakeDevice(node=f"/dev/ttyS{number}") for number in range(1000)]
    one = rendered(device_class("{ID_SERIAL}"), *many, blind=tuple(Blind(f"/dev/x{n}", "busy") for n in range(1000)))
    (warning,), (problem,) = one.warnings, one.problems
    assert str(warning).startswith("acme.com/modem: /dev/ttyS0 and 999 others: has no name, since nothing is there for")
    assert str(problem).startswith("/dev/x0 and 999 others: busy; ")
    assert len(rendered(device_class("{ID_SERIAL}"), *many[:8]).warnings) == 8


def test_thousands_that_cannot_be_looked_at_are_kept_in_little_time() -> None:
    before = rendered(device_class("{sysname}"), *(FakeDevice(node=f"/dev/t{n}") for n in range(5000)))
    blind = tuple(Blind(f"/dev/t{number}", "busy") for number in range(5000))
    start = time.process_time()
    assert rendered(device_class("{sysname}"), before=before.spec, blind=blind).spec == before.spec
    assert time.process_time() - start < 5  # a tenth of a second, and half a minute when each is held against each


def test_all_is_one_more_device_with_every_node() -> None:
    one = rendered(replace(device_class(path="/dev/x/{name}"), all_name="all"), A0, B1)
    assert [(offer.name, offer.nodes) for offer in one.offers] == [
        ("A", ("/dev/ttyUSB0",)),
        ("B", ("/dev/ttyUSB1",)),
        ("all", ("/dev/ttyUSB0", "/dev/ttyUSB1")),
    ]
    assert one.spec is not None
    assert [node.path for node in one.spec.devices[2].container_edits.device_nodes] == ["/dev/ttyUSB0", "/dev/ttyUSB1"]


def test_only_all_needs_no_names() -> None:
    one = rendered(replace(device_class("{ID_NOTHING}"), all_name="all", only_all=True), A0, A1)
    assert [(offer.name, offer.nodes) for offer in one.offers] == [("all", ("/dev/ttyUSB0", "/dev/ttyUSB1"))]
    assert (one.problems, one.warnings) == ((), ())
    before = one.spec
    again = rendered(
        replace(device_class("x"), all_name="all", only_all=True),
        A0,
        before=before,
        blind=(Blind("/dev/ttyUSB1", "x"),),
    )
    assert again.spec == before


def test_without_devices_there_is_no_all() -> None:
    assert rendered(replace(device_class(), all_name="all")).spec is None


def test_a_member_may_not_be_named_as_all_is() -> None:
    one = rendered(replace(device_class("all"), all_name="all"), A0)
    assert "has the name of the device that holds all others, 'all'" in told(one)


def edits_template(**texts: Any) -> EditsTemplate:
    edits = ContainerEdits(**texts)
    parts = [*edits.env, *(text for mount in edits.mounts for text in (mount.host_path, mount.container_path))]
    return EditsTemplate(
        edits=edits, templates={text: templates.parse(text, extra=templates.IN_EDITS) for text in parts if "{" in text}
    )


def test_edits_of_each_device_are_filled_from_its_facts() -> None:
    wanted = edits_template(
        env=("ID={serial}", "NODE={devnode}", "FIXED=1"),
        mounts=(Mount(host_path="/var/lib/{name}", container_path="/data"),),
    )
    one = rendered(replace(device_class(), device_edits=wanted), A0)
    assert one.spec is not None
    edits = one.spec.devices[0].container_edits
    assert edits.env == ("ID=A", "NODE=ttyUSB0", "FIXED=1")
    assert edits.mounts == (Mount(host_path="/var/lib/A", container_path="/data"),)


def test_what_several_nodes_of_a_group_say_alike_is_said_once() -> None:
    one = rendered(grouped(device_edits=edits_template(env=("ID={name}", "NODE={devnode}"))), *NODES[:2])
    assert one.spec is not None
    assert one.spec.devices[0].container_edits.env == ("ID=Q", "NODE=cdc-wdm0", "NODE=ttyUSB0")


@pytest.mark.parametrize("word", ["../../etc", "/etc/shadow", "..", "a\nLD_PRELOAD=/x", "\x1b[2J", "x" * 10_000])
def test_a_devices_word_in_an_edit_is_harmless(word: str) -> None:
    wanted = edits_template(
        env=("ID={ID_X}",), mounts=(Mount(host_path="/var/lib/{ID_X}/x", container_path="/data/{ID_X}"),)
    )
    one = rendered(replace(device_class("n"), device_edits=wanted), FakeDevice(properties={"ID_X": word}))
    assert one.spec is not None
    edits = one.spec.devices[0].container_edits
    assert edits.env[0].isprintable()
    assert len(edits.env) == 1
    assert edits.mounts[0].host_path.count("/") == 4
    assert "/../" not in edits.mounts[0].host_path
    assert validation.check(one.spec) == ()


def test_a_device_without_a_fact_of_its_edits_is_left_out_with_a_warning() -> None:
    one = rendered(replace(device_class("n"), device_edits=edits_template(env=("ID={ID_X}",))), A0)
    assert one.spec is None
    assert "nothing is there for {ID_X}" in warned(one)


def test_a_name_that_only_the_kernel_gives_is_warned_of() -> None:
    wanted = replace(device_class(), name=templates.parse(DEFAULT_NAME))
    assert "devices are named after the kernel's names (ttyUSB0)" in warned(rendered(wanted, serial(0)))
    assert rendered(wanted, A0).warnings == ()
    assert rendered(device_class("{sysname}"), A0).warnings == ()


def test_an_offer_says_which_memory_nodes_it_is_near_to() -> None:
    one = replace(device_class("{serial|sysname}"), group_by="usb", all_name="every")
    first, second = usb("1-1", serial="A"), usb("1-2", serial="B")
    found = rendered(
        one,
        FakeDevice(node="/dev/a0", numa_node=1, ancestors=(first,)),
        FakeDevice(node="/dev/a1", numa_node=0, ancestors=(first,)),
        FakeDevice(node="/dev/b0", ancestors=(second,)),
    )
    assert {offer.name: offer.numa for offer in found.offers} == {"A": (0, 1), "B": (), "every": ()}


def test_a_declared_device_is_near_to_where_its_nodes_are() -> None:
    edits = ContainerEdits(device_nodes=tuple(DeviceNode(path=f"/dev/{name}") for name in "xyz"))
    wanted = device_class(declared=(Declared(device=Device(name="one", container_edits=edits)),))
    observation = Observation(numa={"/dev/y": 1, "/dev/x": 0, "/dev/other": 2})
    (offer,) = render(wanted, observation, dict, {}).offers
    assert offer.numa == (0, 1)

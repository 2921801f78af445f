import pytest

from cdi import versions
from cdi.model import ContainerEdits, Device, DeviceNode, IntelRdt, Mount, NetDevice, Spec

NODE = ContainerEdits(device_nodes=(DeviceNode(path="/dev/x"),))


def spec(edits: ContainerEdits = NODE, name: str = "a", kind: str = "acme.com/modem", **members: object) -> Spec:
    device = Device(name=name, container_edits=edits)
    return Spec(version="1.1.0", kind=kind, devices=(device,), **members)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (spec(), "0.3.0"),
        (spec(ContainerEdits(mounts=(Mount(host_path="/", container_path="/", type="bind"),))), "0.4.0"),
        (spec(ContainerEdits(device_nodes=(DeviceNode(path="/dev/x", host_path="/dev/y"),))), "0.5.0"),
        (spec(name="0a"), "0.5.0"),
        (spec(annotations={"a": "b"}), "0.6.0"),
        (spec(kind="acme.com/mo.dem"), "0.6.0"),
        (spec(ContainerEdits(intel_rdt=IntelRdt())), "0.7.0"),
        (spec(ContainerEdits(additional_gids=(0,))), "0.7.0"),
        (spec(ContainerEdits(intel_rdt=IntelRdt(schemata=()))), "1.1.0"),
        (spec(ContainerEdits(intel_rdt=IntelRdt(enable_monitoring=True))), "1.1.0"),
        (spec(ContainerEdits(net_devices=(NetDevice(host_interface_name="a", name="b"),))), "1.1.0"),
        (spec(container_edits=ContainerEdits(additional_gids=(1,))), "0.7.0"),
    ],
)
def test_the_lowest_version_that_has_all_members(value: Spec, expected: str) -> None:
    assert versions.minimum_version(value) == expected
    assert versions.enforced_version(value) == expected
    needs = [need.version for need in versions.needs(value)]
    assert max(needs, key=versions.order, default=versions.EARLIEST) == expected


def test_runtimes_overlook_host_paths_before_the_last_device() -> None:
    linked = Device(
        name="a", container_edits=ContainerEdits(device_nodes=(DeviceNode(path="/dev/x", host_path="/dev/y"),))
    )
    plain = Device(name="b", container_edits=NODE)
    value = Spec(version="0.3.0", kind="acme.com/modem", devices=(linked, plain))
    assert versions.minimum_version(value) == "0.5.0"
    assert versions.enforced_version(value) == "0.3.0"


def test_needs_say_where() -> None:
    (need,) = versions.needs(spec(name="0a"))
    assert need.where == "devices[0].name"


def test_versions_are_in_order() -> None:
    assert sorted(versions.ALL, key=versions.order) == list(versions.ALL)
    assert versions.order("v0.5.0") == versions.order("0.5.0")
    assert versions.order("0.5") == versions.order("vv0.5.0") == versions.order("") == -1
    assert all(versions.order(version) >= 0 for version in versions.RUNTIMES.values())

import pickle

import pydantic
import pytest

from cdi.model import ContainerEdits, Device, DeviceNode, IntelRdt, Mount, Spec

EDITS = ContainerEdits(
    env=("A=1",), device_nodes=(DeviceNode(path="/dev/x"),), intel_rdt=IntelRdt(), additional_gids=(5,)
)
SPEC = Spec(version="0.5.0", kind="acme.com/modem", devices=(Device(name="a", container_edits=EDITS),))


def test_specs_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(SPEC)) == SPEC


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        (ContainerEdits(), False),
        (ContainerEdits(env=("A=1",)), True),
        (ContainerEdits(mounts=(Mount(host_path="/a", container_path="/b"),)), True),
        (ContainerEdits(intel_rdt=IntelRdt()), True),
        (ContainerEdits(additional_gids=(0,)), True),
    ],
)
def test_edits_are_true_where_they_change_something(edits: ContainerEdits, expected: bool) -> None:
    assert bool(edits) is expected


def test_joined_edits_follow_each_other() -> None:
    other = ContainerEdits(env=("B=2",), intel_rdt=IntelRdt(clos_id="x"), additional_gids=(6,))
    joined = EDITS.joined(other)
    assert joined.env == ("A=1", "B=2")
    assert joined.device_nodes == EDITS.device_nodes
    assert joined.intel_rdt == IntelRdt(clos_id="x")
    assert joined.additional_gids == (5, 6)
    assert other.joined(ContainerEdits()).intel_rdt == IntelRdt(clos_id="x")


def test_pydantic_understands_the_model() -> None:
    adapter = pydantic.TypeAdapter(Spec)
    assert adapter.validate_python(adapter.dump_python(SPEC)) == SPEC

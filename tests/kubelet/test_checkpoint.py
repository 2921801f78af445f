from __future__ import annotations

import json

import pytest

from tests.kubelet.checkpoint import Checkpoint, Entry, load

# Files that kubelets wrote, as found in public documentation.
WRITTEN = {
    "no pod": (
        '{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{"nvidia.com/gpu":['
        '"GPU-0650a168-e770-3ea8-8ac3-8a1d419763e0"]}},"Checksum":3952659280}'
    ),
    "a pod": (
        '{"Data":{"PodDeviceEntries":[{"PodUID":"bf52b2cd-b611-4e79-86b1-280b283185c3","ContainerName":"check",'
        '"ResourceName":"nvidia.com/gpu","DeviceIDs":{"-1":["tegra"]},"AllocResp":'
        '"Ch8KFk5WSURJQV9WSVNJQkxFX0RFVklDRVMSBXRlZ3Jh"}],"RegisteredDevices":{"nvidia.com/gpu":["tegra"]}},'
        '"Checksum":3660592824}'
    ),
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN.keys())
def test_files_of_real_kubelets_are_read_and_written_alike(text: str) -> None:
    assert load(text.encode()).dump().decode() == text


def test_what_a_container_holds_lies_below_its_numa_nodes() -> None:
    entry = Entry("pod", "main", "acme.com/modem", {-1: ["a"], 0: ["b", "c"], 1: ["b"]}, b"\x00\xff")
    content = Checkpoint((entry,), {"acme.com/modem": [], "acme.com/disk": ["d"]})
    data = json.loads(content.dump())["Data"]
    assert data["PodDeviceEntries"] == [
        {
            "PodUID": "pod",
            "ContainerName": "main",
            "ResourceName": "acme.com/modem",
            "DeviceIDs": {"-1": ["a"], "0": ["b", "c"], "1": ["b"]},
            "AllocResp": "AP8=",
        }
    ]
    assert data["RegisteredDevices"] == {"acme.com/disk": ["d"], "acme.com/modem": []}
    assert entry.ids == {"a", "b", "c"}
    assert load(content.dump()).entries[0].answer == b"\x00\xff"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"Data":{}}', WRITTEN["a pod"].replace("tegra", "Tegra"), WRITTEN["a pod"][:99]],
)
def test_what_is_no_sound_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"checkpoint|Expecting|Unterminated"):
        load(text.encode())

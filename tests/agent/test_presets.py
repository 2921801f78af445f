"""Every preset against every recording: what it gives out, under which names, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import files
from agent.config.checking import settings_of
from cdi import codec, schema, validation
from tests.agent.bed import Bed, Recording

Devices = dict[str, tuple[str, ...]]

PRESETS = [
    *("amd-gpu", "block", "dri", "fuse", "infiniband", "input", "kvm", "loop", "nx-gzip", "sgx", "sound", "tpm", "tun"),
    *("uinput", "usb-serial", "vfio", "video", "watchdog"),
]

MPATH = "mpath-3600508b4000156d700012000000"
CAMERA = "usb-046d_HD_Pro_Webcam_C920_7F2A91DF-video-index"
MULTIPATH: Devices = {f"{MPATH}b0000": ("/dev/dm-0",), f"{MPATH}c0000": ("/dev/dm-1",)}

# By recording and preset; a preset that is not named takes nothing.
WITH_UDEVD: dict[str, dict[str, Devices]] = {
    "btrfs": {"block": {"virtio-pci-0000:00:06.0": ("/dev/vdc",)}},
    "disks": {
        "block": MULTIPATH
        | {
            "nvme-Samsung_SSD_970_EVO_500GB_S4EWNX0R100001": ("/dev/nvme0n1",),
            "pci-0000:00:14.0-usb-0:7:1.0-scsi-0:0:0:0": ("/dev/sdf",),
        },
        "loop": {"loop1": ("/dev/loop1",)},
    },
    "ftdi-pair": {
        "usb-serial": {
            "pci-0000:00:14.0-usb-0:1.1:1.0-port0": ("/dev/ttyUSB0",),
            "pci-0000:00:14.0-usb-0:1.2:1.0-port0": ("/dev/ttyUSB1",),
        }
    },
    "gpus": {
        "amd-gpu": {
            "0000:03:00.0": ("/dev/dri/card1", "/dev/dri/renderD129"),
            "0000:83:00.0": ("/dev/dri/card3", "/dev/dri/renderD131"),
        },
        "dri": {
            "0000:00:02.0": ("/dev/dri/renderD128",),
            "0000:03:00.0": ("/dev/dri/renderD129",),
            "0000:41:00.0": ("/dev/dri/renderD130",),
            "0000:83:00.0": ("/dev/dri/renderD131",),
        },
    },
    "infiniband": {
        "infiniband": {
            f"0000:17:00.{port}": tuple(f"/dev/infiniband/{kind}{port}" for kind in ("issm", "umad", "uverbs"))
            for port in (0, 1)
        }
    },
    "input": {
        "input": {
            "1-1": ("/dev/input/event3", "/dev/input/event4", "/dev/input/event5"),
            "XX00112233": ("/dev/input/event6",),
            "1-6": ("/dev/input/event7",),
        }
    },
    "modem": {"usb-serial": {f"pci-0000:00:14.0-usb-0:4:1.{port}-port0": (f"/dev/ttyUSB{port}",) for port in range(4)}},
    "power": {"nx-gzip": {"nx-gzip": ("/dev/crypto/nx-gzip",)}},
    "serial-clones": {"usb-serial": {"usb-Silicon_Labs_CP2102_USB_to_UART_Bridge-b797eb2479ab": ("/dev/ttyUSB2",)}},
    "single-nodes": {
        "fuse": {"fuse": ("/dev/fuse",)},
        "kvm": {"kvm": ("/dev/kvm",)},
        "sgx": {"sgx_enclave": ("/dev/sgx_enclave",)},
        "tun": {"tun": ("/dev/net/tun",)},
        "uinput": {"uinput": ("/dev/uinput",)},
    },
    "sound": {
        "sound": {
            "0000:00:1f.3": ("/dev/snd/controlC0", "/dev/snd/hwC0D0", "/dev/snd/pcmC0D0c", "/dev/snd/pcmC0D0p"),
            "0000:03:00.1": ("/dev/snd/controlC1", "/dev/snd/hwC1D0", "/dev/snd/pcmC1D3p"),
            "1-3": ("/dev/snd/controlC2", "/dev/snd/pcmC2D0c", "/dev/snd/pcmC2D0p"),
            "card3": ("/dev/snd/controlC3", "/dev/snd/pcmC3D0p"),
        }
    },
    "tpm": {"tpm": {"tpmrm0": ("/dev/tpmrm0",)}},
    "vfio": {"vfio": {"0000:03:00.0": ("/dev/vfio/12",), "0000:65:00.0": ("/dev/vfio/30",), "7": ("/dev/vfio/7",)}},
    "watchdogs": {"watchdog": {"0000:00:1f.4": ("/dev/watchdog0",), "Software-Watchdog": ("/dev/watchdog1",)}},
    "webcam": {"video": {f"{CAMERA}{index}": (f"/dev/video{index}",) for index in (0, 1)}},
    "webcam-clones": {"video": {}},
    "webcam-pair": {
        "video": {
            f"pci-0000:00:14.0-usb-0:{port}:1.0-video-index{index}": (f"/dev/video{2 * port - 2 + index}",)
            for port in (1, 2)
            for index in (0, 1)
        }
    },
}


def videos(count: int) -> dict[str, Devices]:
    return {"video": {f"video{number}": (f"/dev/video{number}",) for number in range(count)}}


# Where it is not the same without udevd: there is no link, no serial number of a disk and no ID_PATH.
WITHOUT_UDEVD: dict[str, dict[str, Devices]] = WITH_UDEVD | {
    "btrfs": {},
    "disks": {"block": MULTIPATH, "loop": {"loop1": ("/dev/loop1",)}},
    "ftdi-pair": {"usb-serial": {"1-1.1:1.0": ("/dev/ttyUSB0",), "1-1.2:1.0": ("/dev/ttyUSB1",)}},
    "modem": {"usb-serial": {f"1-4:1.{port}": (f"/dev/ttyUSB{port}",) for port in range(4)}},
    "serial-clones": {"usb-serial": {f"1-{port}:1.0": (f"/dev/ttyUSB{port - 1}",) for port in (1, 2, 3)}},
    "webcam": videos(2),
    "webcam-clones": videos(4),
    "webcam-pair": videos(4),
}

# (recording, preset): warned of, with udevd; only names that the hardware leaves no better choice for.
WARNED = {
    ("sound", "sound"): "devices are named after the kernel's names (card3)",
    ("vfio", "vfio"): "devices are named after the kernel's names (7)",
}
CLASHES = {
    ("serial-clones", "usb-serial"): "/dev/ttyUSB0 and /dev/ttyUSB1: would all be named "
    "'usb-Silicon_Labs_CP2102_USB_to_UART_Bridge-ace95df13ca0'; all are left out; name them by {usb:port}, which "
    "tells them apart (1-1, 1-2)",
    ("webcam-clones", "video"): "/dev/video0 and /dev/video2: would all be named "
    "'usb-Sonix_USB_2.0_Camera_SN0001-video-index0'; all are left out",
}

# What every container of a class gets besides.
SHARED = {
    "amd-gpu": ("/dev/kfd",),
    "infiniband": ("/dev/infiniband/rdma_cm",),
    "sound": ("/dev/snd/timer",),
    "vfio": ("/dev/vfio/vfio",),
}


def test_these_are_the_presets() -> None:
    assert list(files.preset_names()) == PRESETS


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_one_class_with_a_comment_that_a_user_could_write(preset: str) -> None:
    source = files.preset(preset)
    assert source is not None
    assert source.text.startswith("# ")
    assert list(source.document) == ["class"]
    (only,) = settings_of((source,)).classes
    assert only.kind == f"cdi-sync/{preset}"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_takes_something_of_the_bed(preset: str) -> None:
    assert any(expected.get(preset) for expected in WITH_UDEVD.values())


def test_every_recording_is_expected_something_of() -> None:
    assert tuple(sorted(WITH_UDEVD)) == Recording.names()


@pytest.mark.parametrize("udevd", [True, False], ids=["udevd", "no-udevd"])
@pytest.mark.parametrize("recording", Recording.names())
def test_a_preset_takes_of_a_machine_what_its_comment_says(tmp_path: Path, recording: str, *, udevd: bool) -> None:
    machine = Bed(tmp_path, udevd=udevd).machine(Recording.read(recording))
    expected = (WITH_UDEVD if udevd else WITHOUT_UDEVD)[recording]
    found = {preset: machine.seen(preset).devices for preset in PRESETS}
    assert found == {preset: expected.get(preset, {}) for preset in PRESETS}


@pytest.mark.parametrize("recording", Recording.names())
def test_a_preset_tells_what_it_left_out_or_could_not_name_well(tmp_path: Path, recording: str) -> None:
    machine = Bed(tmp_path).machine(Recording.read(recording))
    for preset in PRESETS:
        seen = machine.seen(preset)
        warned, clash = WARNED.get((recording, preset), ""), CLASHES.get((recording, preset), "")
        assert warned in seen.warnings
        assert bool(warned) == bool(seen.warnings)
        assert clash in seen.problems
        assert bool(clash) == bool(seen.problems)


@pytest.mark.parametrize("preset", ["usb-serial", "video"])
def test_without_udevd_only_the_kernels_names_are_warned_of(tmp_path: Path, preset: str) -> None:
    recording = Recording.read("ftdi-pair" if preset == "usb-serial" else "webcam-pair")
    seen = Bed(tmp_path, udevd=False).seen(recording, preset)
    assert ("named after the kernel's names" in seen.warnings) is (preset == "video")


@pytest.mark.parametrize("recording", Recording.names())
def test_what_a_preset_writes_is_a_valid_spec_with_the_shared_nodes_and_no_more_rights_than_needed(
    tmp_path: Path, recording: str
) -> None:
    machine = Bed(tmp_path).machine(Recording.read(recording))
    for preset in WITH_UDEVD[recording]:
        spec = machine.seen(preset).spec
        if spec is None:
            continue
        assert not schema.check(codec.to_document(spec))
        assert not validation.check(spec)
        assert tuple(node.path for node in spec.container_edits.device_nodes) == SHARED.get(preset, ())
        permissions = {node.permissions for one in spec.devices for node in one.container_edits.device_nodes}
        assert permissions == {"r" if preset == "input" else "rw"}


def test_the_shared_nodes_are_there_in_the_recordings() -> None:
    known = {f"/dev/{device.node}" for name in Recording.names() for device in Recording.read(name).devices}
    assert {node for nodes in SHARED.values() for node in nodes} <= known


def test_the_page_has_every_preset() -> None:
    page = (Path(__file__).parents[2] / "docs" / "presets.md").read_text()
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")] == PRESETS

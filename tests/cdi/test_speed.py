"""The limits that the project promises, with the machine's other work allowed for by taking the best of three."""

import time
from collections.abc import Callable
from pathlib import Path

from cdi import codec, registry, schema, specdirs, validation
from cdi.model import ContainerEdits, Device, DeviceNode, Mount, Spec


def spec(count: int, kind: str = "acme.com/modem") -> Spec:
    devices = tuple(
        Device(
            name=f"modem{number}",
            container_edits=ContainerEdits(
                env=(f"MODEM={number}",),
                device_nodes=(DeviceNode(path=f"/dev/modem{number}", host_path=f"/dev/ttyUSB{number}"),),
                mounts=(Mount(host_path="/lib/modem", container_path="/lib/modem", options=("ro", "bind")),),
            ),
        )
        for number in range(count)
    )
    return Spec(version="0.5.0", kind=kind, devices=devices)


def best(work: Callable[[], None]) -> float:
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def test_a_thousand_files_of_ten_devices(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"{number}.json").write_bytes(codec.encode(spec(10, f"acme.com/modem{number}")))

    def work() -> None:
        assert len(specdirs.load([str(tmp_path)]).devices) == 10_000

    assert best(work) < 2


def test_a_file_of_ten_thousand_devices(tmp_path: Path) -> None:
    path = str(tmp_path / "a.json")
    with open(path, "wb") as file:
        file.write(codec.encode(spec(10_000)))

    def work() -> None:
        data = specdirs.read_file(path)
        found = codec.decode(data, path)
        problems = (*schema.check(codec.document(data)), *validation.check(found), *validation.warnings(found))
        assert problems == ()
        devices = registry.index([registry.SpecFile(path, 0, found)])
        assert devices.resolve("acme.com/modem=modem9999") is not None

    assert best(work) < 1.5


def test_nothing_changed_is_cheap(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"{number}.json").write_bytes(codec.encode(spec(10, f"acme.com/modem{number}")))
    time.sleep(0.06)
    dirs = specdirs.SpecDirs([str(tmp_path)])
    dirs.refresh()

    def work() -> None:
        assert not dirs.refresh()

    assert best(work) < 0.2

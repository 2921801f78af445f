from dataclasses import replace

from cdi import registry
from cdi.errors import Problem
from cdi.model import ContainerEdits, Device, Spec
from cdi.registry import Changes, SpecFile


def spec(*names: str, kind: str = "acme.com/modem", env: str = "A=1") -> Spec:
    devices = tuple(Device(name=name, container_edits=ContainerEdits(env=(env,))) for name in names)
    return Spec(version="0.5.0", kind=kind, devices=devices)


LOW = SpecFile("/etc/cdi/a.json", 0, spec("a", "b"))
LOW_TOO = SpecFile("/etc/cdi/b.json", 0, spec("b", "c"))
HIGH = SpecFile("/var/run/cdi/a.json", 1, spec("b"))
BROKEN = SpecFile("/var/run/cdi/x.json", 1, problems=(Problem("/var/run/cdi/x.json", "it is broken"),))


def winners(*files: SpecFile) -> dict[str, str]:
    found = registry.index(files)
    return {name.rpartition("=")[2]: entry.file.path for name, entry in found.devices.items()}


def test_devices_are_found_by_name() -> None:
    found = registry.index([LOW])
    entry = found.resolve("acme.com/modem=a")
    assert entry is not None
    assert (entry.device.name, entry.spec, entry.file) == ("a", LOW.spec, LOW)
    assert found.resolve("acme.com/modem=z") is None
    assert (found.vendors, found.classes) == (("acme.com",), ("modem",))


def test_the_higher_priority_wins() -> None:
    assert winners(LOW, HIGH) == {"a": LOW.path, "b": HIGH.path}


def test_at_one_priority_both_lose() -> None:
    found = registry.index([LOW, LOW_TOO])
    assert list(found.devices) == ["acme.com/modem=a", "acme.com/modem=c"]
    assert found.conflicts == ("acme.com/modem=b",)
    assert list(found.problems) == [LOW.path, LOW_TOO.path]
    assert "defined in /etc/cdi/b.json too" in str(found.problems[LOW.path][0])


def test_a_conflict_takes_the_definition_of_higher_priority_with_it() -> None:
    assert winners(LOW, LOW_TOO, HIGH) == {"a": LOW.path, "c": LOW_TOO.path}


def test_a_broken_file_masks_nothing() -> None:
    found = registry.index([LOW, BROKEN])
    assert len(found.devices) == 2
    assert found.problems == {BROKEN.path: BROKEN.problems}
    assert found.specs == (LOW,)


def test_nothing_has_changed() -> None:
    changes = registry.difference(registry.index([LOW, BROKEN]), registry.index([LOW, BROKEN]))
    assert changes == Changes()
    assert not changes


def test_what_has_changed_is_told_device_by_device() -> None:
    before = registry.index([LOW, BROKEN])
    other = replace(LOW, spec=spec("b", "c", env="A=2"))
    assert registry.difference(before, registry.index([other])) == Changes(
        added=("acme.com/modem=c",),
        removed=("acme.com/modem=a",),
        changed=("acme.com/modem=b",),
        problems=(BROKEN.path,),
    )


def test_a_device_changes_with_its_spec_and_its_file() -> None:
    common = replace(spec("a"), container_edits=ContainerEdits(env=("B=1",)))
    before = registry.index([SpecFile("/a.json", 0, spec("a"))])
    assert registry.difference(before, registry.index([SpecFile("/a.json", 0, common)])).changed
    assert registry.difference(before, registry.index([SpecFile("/b.json", 0, spec("a"))])).changed
    assert not registry.difference(before, registry.index([SpecFile("/a.json", 0, spec("a"))]))

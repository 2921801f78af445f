from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config.checking import settings_of
from agent.config.files import ConfigError, parse
from agent.config.load import load
from agent.config.model import Class, Select
from agent.importers import writer
from agent.importers.draft import Draft, DraftClass, Remark
from agent.importers.formats import FORMATS, imported

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = {
    "power-device-plugin": (
        '{"nx-gzip": true, "permissions": "rw", "include-devices": ["/dev/dm-*", "/dev/crypto/nx-gzip"],'
        ' "exclude-devices": ["/dev/dm-3"], "discovery-strategy": "time", "scan-interval": "60m", "upper-limit": 2}'
    ),
    "generic-device-plugin": json.dumps(
        {
            "domain": "example.com",
            "devices": [
                {"name": "serial", "groups": [{"paths": [{"path": "/dev/ttyUSB*", "mountPath": "/dev/serial/"}]}]},
                {"name": "audio", "groups": [{"count": 10, "paths": [{"path": "/dev/snd"}]}]},
                {"name": "dongle", "groups": [{"usb": [{"vendor": "1a86", "product": "7523", "serial": "1"}]}]},
                {"name": "pair", "groups": [{"paths": [{"path": "/dev/a"}, {"path": "/b", "type": "Mount"}]}]},
            ],
        }
    ),
    "smarter-device-manager": (
        "- devicematch: ^snd$\n  nummaxdevices: 20\n"
        "- devicematch: ^video[0-9]*$\n  nummaxdevices: 1\n"
        "- devicematch: ^(rtc0|kvm)$\n  nummaxdevices: 2\n"
        "- devicematch: '.*foo'\n  nummaxdevices: 2\n"
    ),
}


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_loads_and_is_always_the_same(form: str, tmp_path: Path) -> None:
    text = imported(form, "file", SAMPLES[form].encode()).text
    path = tmp_path / "config.toml"
    path.write_text(text)
    assert load(str(path)).classes
    assert imported(form, "file", SAMPLES[form].encode()).text == text


@pytest.mark.parametrize("form", FORMATS)
def test_what_the_kubelet_is_to_be_offered_is_written(form: str) -> None:
    lines = imported(form, "file", SAMPLES[form].encode()).text.splitlines()
    assert lines[lines.index("[class.kubernetes]") + 1].startswith("shares = ")


def test_what_no_configuration_could_hold_is_refused() -> None:
    text = "- {devicematch: '(a|b|c|d)(a|b|c|d)(a|b|c|d)x', nummaxdevices: 1}\n" * 3800
    with pytest.raises(ConfigError, match="file: comes to more than a configuration may hold; import parts of it"):
        imported("smarter-device-manager", "file", text.encode())


@pytest.mark.parametrize("text", ['"', "\\", "\n\t\r", "\x00\x1f\x7f\x85", "é\u2028😀", "a'b", "{x}"])
def test_any_text_is_written_as_toml_reads_it(text: str) -> None:
    import tomllib

    entry = Class(kind=text, select=(Select(devnode=(text, "x"), attributes={text: text}),))
    document = tomllib.loads("\n".join(writer.class_lines(DraftClass(entry, text))))
    (one,) = document["class"]
    assert one == {"kind": text, "select": [{"devnode": [text, "x"], "attributes": {text: text}}]}


def test_a_remark_is_a_comment_whatever_it_holds() -> None:
    import tomllib

    remark = Remark("file", "a\nb = 1", 'x\r\n[agent]\x85log = "json"\u2028', "y " * 200)
    text = writer.toml(Draft((), (remark,)), "title\n[agent]")
    assert tomllib.loads(text) == {"version": 1}
    assert max(map(len, text.splitlines())) <= 120


def test_the_writer_leaves_no_key_of_a_class_out_that_an_importer_sets() -> None:
    written = {"kind", "name", "all", "only_all", "select", "exclude", "node", "container_edits", "device"}
    others = {"preset", "group_by", "requires", "device_edits", "kubernetes"}
    assert {field.name for field in dataclasses.fields(Class)} <= written | others


# Any text at all, any tree at all, and the samples with something changed.

KEYS = """
devices name groups paths path usb vendor product serial count limit domain optional type mountPath permissions readOnly
Mount Device include-devices exclude-devices nx-gzip upper-limit devicematch nummaxdevices kind ConfigMap data args
--device --domain conf.yaml config.json config.yaml /dev/a /dev/* ^a[0-9]*$ rw
"""
WORDS = st.sampled_from(KEYS.split())
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | WORDS
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=5),
    max_leaves=25,
)


@st.composite
def mutated(draw: st.DrawFn, form: str) -> bytes:
    """A sample with one value replaced, or with some bytes changed."""
    text = SAMPLES[form]
    if draw(st.booleans()):
        data = bytearray(text.encode())
        for _ in range(draw(st.integers(1, 4))):
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
        return bytes(data)
    document = yaml.safe_load(text)
    where: Any = document
    while True:
        key = draw(st.sampled_from(list(where) if isinstance(where, dict) else list(range(len(where)))))
        if not isinstance(where[key], dict | list) or not where[key] or draw(st.integers(0, 3)) == 0:
            where[key] = draw(TREES)
            return json.dumps(document).encode()
        where = where[key]


def survives(form: str, data: bytes) -> None:
    try:
        text = imported(form, "file", data).text
    except ConfigError:
        return
    settings_of((parse("imported", text),))


FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@pytest.mark.parametrize("form", FORMATS)
@settings(FUZZ, max_examples=300)
@given(data=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_translated_or_refused(form: str, data: bytes) -> None:
    survives(form, data)


@pytest.mark.parametrize("form", FORMATS)
@settings(FUZZ, max_examples=400)
@given(tree=TREES)
def test_any_tree_is_translated_or_refused(form: str, tree: Any) -> None:
    survives(form, json.dumps(tree).encode())


@pytest.mark.parametrize("form", FORMATS)
@settings(FUZZ, max_examples=400)
@given(data=st.data())
def test_a_spoilt_sample_is_translated_or_refused(form: str, data: st.DataObject) -> None:
    survives(form, data.draw(mutated(form)))

import contextlib
import json
import random
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cdi import codec, validation, wire
from cdi.errors import CDIError
from cdi.model import ContainerEdits, Device, DeviceNode, Spec
from cdi.text import tree
from tests.cdi import cases, soak
from tests.cdi.strategies import SPECS

SPEC = Spec(
    version="0.5.0",
    kind="acme.com/modem",
    devices=(
        Device(name="a", container_edits=ContainerEdits(device_nodes=(DeviceNode(path="/dev/a"),))),
        Device(name="b", container_edits=ContainerEdits(device_nodes=(DeviceNode(path="/dev/b"),))),
    ),
    container_edits=ContainerEdits(env=("A=1",)),
)
TEXT = b"""\
{
  "cdiVersion": "0.5.0",
  "kind": "acme.com/modem",
  "devices": [
    {"name": "a", "containerEdits": {"deviceNodes": [{"path": "/dev/a"}]}},
    {"name": "b", "containerEdits": {"deviceNodes": [{"path": "/dev/b"}]}}
  ],
  "containerEdits": {"env": ["A=1"]}
}
"""


def test_a_spec_is_written_with_a_line_for_each_device() -> None:
    assert codec.encode(SPEC) == TEXT
    assert codec.decode(TEXT) == SPEC


def test_what_is_empty_is_left_out_of_a_file() -> None:
    spec = Spec(version="0.5.0", kind="acme.com/modem", devices=())
    assert json.loads(codec.encode(spec)) == {"cdiVersion": "0.5.0", "kind": "acme.com/modem", "devices": []}


@pytest.mark.parametrize("text", ["\x7f\x85\u2028\ufeff\xa0é", "\U0001f600", '\\"\U0001f600\\ud83d', "a\tb\nc\0d"])
def test_every_character_comes_back_by_every_reader(text: str) -> None:
    spec = Spec(version="0.5.0", kind=text, devices=())
    written = codec.encode(spec)
    assert codec.decode(written) == spec
    assert json.loads(written)["kind"] == text
    assert yaml.safe_load(written)["kind"] == text


@pytest.mark.parametrize(
    "spec",
    [
        Spec(version="0.5.0", kind="\ud800", devices=()),
        Spec(version="0.5.0", kind="a.b/cc", devices=(), annotations={"k" * 1023: ""}),
        Spec(version="0.5.0", kind="a.b/cc", devices=(Device(name="a", annotations={"é" * 171: ""}),)),
    ],
)
def test_what_no_file_can_hold_is_not_written(spec: Spec) -> None:
    with pytest.raises(CDIError):
        codec.encode(spec)


def test_the_longest_annotation_key_comes_back() -> None:
    spec = Spec(version="0.5.0", kind="a.b/cc", devices=(), annotations={"k" * 1022: "", "é" * 170: ""})
    assert codec.decode(codec.encode(spec)) == spec


@given(SPECS)
def test_writing_and_reading_give_the_same_spec(spec: Spec) -> None:
    written = codec.encode(spec)
    assert codec.decode(written) == spec
    assert codec.encode(codec.decode(written)) == written
    assert json.loads(written) == codec.to_document(spec)


@pytest.mark.parametrize("case", cases.corpus(), ids=lambda case: case["name"])
def test_the_corpus(case: dict[str, Any]) -> None:
    if not case.get("decodes", True):
        with pytest.raises(CDIError):
            codec.decode(case["text"].encode())
        return
    problems = validation.check(codec.decode(case["text"].encode()))
    assert [problem.where for problem in problems] == ([case["rules"]] if "rules" in case else [])


# What JSON's and YAML's parser read alike takes the quick way; everything else must not.
@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ('{"a": "b"}', True),
        (' \n{"a": [1, -1.5e3, true, null, "\\u00e9\\n", "é\xa0"]}\r\n', True),
        ('{\t"a":1}', True),
        ('\t{"a": 1}', False),
        ('{"a": 1}\t', False),
        ('\ufeff{"a": 1}', False),
        ('{"a": 1, "a": 1}', False),
        ('{"a"\n: 1}', False),
        ('{"a"' + " " * 100 + ": 1}", False),
        ('{"' + "a" * 200 + '": 1}', False),
        ('{"a": "\\/"}', False),
        ('{"a": "\\ud83d\\ude00"}', False),
        ('{"a": "\x7f"}', False),
        ('{"a": "\x85"}', False),
        ('{"a": "\u2028"}', False),
        ('{"a": "\uffff"}', False),
        ('{"a": NaN}', False),
        ('{"a": 1e400}', False),
        ('{"a": ' + "9" * 5000 + "}", False),
        ('{"a": 01}', False),
        ('{"a": 1,}', False),
        ('{"a": 1} x', False),
        ("{a: 1}", False),
        ("[1]", False),
        ("", False),
        ('{"a": ' + "[" * 100_000 + "}", False),
    ],
)
def test_which_text_is_plain_json(text: str, is_plain: bool) -> None:
    if is_plain:
        assert codec.plain_json(text.encode()) == json.loads(text)
    else:
        with pytest.raises(codec.NotPlainError):
            codec.plain_json(text.encode())


def understood(document: wire.Tree) -> tuple[Spec | None, list[str]]:
    findings = wire.Findings()
    return wire.read(document, findings), [fault.where for fault in findings.faults]


def test_plain_json_means_the_same_to_the_yaml_reader() -> None:
    source = random.Random(0)
    for data in soak.inputs(3000, source.randrange(1000)):
        try:
            plain = codec.plain_json(data)
        except codec.NotPlainError:
            continue
        try:
            read = tree.read(data).tree
        except CDIError as error:
            raise AssertionError(data) from error
        assert understood(plain) == understood(read), data


def test_mutated_texts_are_read_or_refused() -> None:
    assert sum(map(soak.check, soak.inputs(4000, 7))) > 100


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(CDIError):
        assert isinstance(codec.decode(data), Spec)


def test_problems_name_the_file_and_the_place() -> None:
    with pytest.raises(CDIError, match=r"a.json: devices\[0\].nam: there is no such member; did you mean name\?"):
        codec.decode(b'{"cdiVersion": "0.5.0", "kind": "a.b/cc", "devices": [{"nam": "a"}]}', "a.json")
    with pytest.raises(CDIError, match=r"a.yaml:2:5: no ':' can stand here"):
        codec.decode(b"a: b\nc: d: e", "a.yaml")


def is_refused(data: bytes) -> bool:
    try:
        return bool(validation.check(codec.decode(data)))
    except CDIError:
        return True


def nested(bracket: str, count: int) -> bytes:
    return (f'{{"cdiVersion": {bracket}' * count).encode()


def laughs(levels: int) -> bytes:
    lines = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join(["a0: &a0 [ha, ha]", *lines]).encode()


@pytest.mark.parametrize(
    "bomb",
    [
        lambda: nested("[", 1_000_000)[: codec.MAX_SIZE],
        lambda: b'{"devices": ' + b"[" * 5_000_000,
        lambda: b"- " * 1_000_000,
        lambda: b"[a: " * 100_000,
        lambda: b"[? " * 100_000,
        lambda: b"{? " * 100_000,
        lambda: b"".join(b" " * depth + b"a:\n" for depth in range(2000)),
        lambda: b"a: {" + b"<<: {" * 100_000,
        lambda: laughs(30),
        lambda: b"a: &a [" + b"x, " * 1000 + b"]\nb: [" + b"*a, " * 100_000 + b"]",
        lambda: b"{" * (100 * 1024 * 1024),
        lambda: b" " * codec.MAX_SIZE,
        lambda: b'{"cdiVersion": ' + b"9" * 1_000_000 + b"}",
        lambda: b"cdiVersion: " + b"9" * 1_000_000,
        lambda: b"cdiVersion: 0x" + b"f" * 1_000_000,
        lambda: b"cdiVersion: 1e" + b"9" * 1_000_000,
        lambda: b'cdiVersion: "' + b"\\x41" * 1_000_000 + b'"',
        lambda: b"cdiVersion: '" + b"\n" * 1_000_000,
        lambda: b"cdiVersion: |\n" + b" \n" * 1_000_000,
        lambda: b"#\n" * 1_000_000,
        lambda: b"? " * 1_000_000,
        lambda: b"&a " * 1_000_000,
        lambda: b"- a: [b, {c: d}]\n" * 60_000,
        lambda: b'{"a"' + b"\t" * 15_000_000 + b"1}",
        lambda: b'{"a"' + b"\n" * 15_000_000 + b"1}",
        lambda: b'{"a"' + (b"\n" + b" " * 1000) * 15_000 + b"1}",
        lambda: b"a: !!binary " + b"gICA" * 500_000,
        lambda: b'{"devices": [' + b"5," * 7_000_000 + b"5]}",
        lambda: b"{" + b",".join(b'"x%d": 1' % number for number in range(1_000_000)) + b"}",
    ],
)
def test_bombs_are_refused_in_bounded_time_and_memory(bomb: Callable[[], bytes]) -> None:
    data = bomb()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.monotonic()
    assert is_refused(data)
    assert time.monotonic() - begin < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1024 * 1024  # KiB


def test_nesting_leaves_room_on_the_stack() -> None:
    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        else:
            assert is_refused(b"[a: " * 1000)

    deeper(sys.getrecursionlimit() - 600)


def test_refused_numbers_are_not_converted() -> None:
    limit = sys.get_int_max_str_digits()
    with pytest.raises(CDIError, match="devices"):
        codec.decode(b'{"devices": ' + b"1" * (limit * 2) + b"}")

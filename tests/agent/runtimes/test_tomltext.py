from __future__ import annotations

import os
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.runtimes import tomltext
from agent.runtimes.answers import Wish
from agent.runtimes.tomltext import EditError
from agent.toml import BOM
from tests.agent.runtimes.machine import CONFIG, Machine

CRI = "io.containerd.grpc.v1.cri"
KEY = ("plugins", CRI, "enable_cdi")
RUNS = int(os.environ.get("CDI_SYNC_TEST_RUNS", "2500"))

EDITS = {
    "an empty text": ("", f'[plugins."{CRI}"]\n  enable_cdi = true\n'),
    "no last newline": ("version = 2", f'version = 2\n\n[plugins."{CRI}"]\n  enable_cdi = true\n'),
    "CRLF": ("version = 2\r\n", f'version = 2\r\n\r\n[plugins."{CRI}"]\r\n  enable_cdi = true\r\n'),
    "BOM": (f"{BOM}a = 1\n", f'{BOM}a = 1\n\n[plugins."{CRI}"]\n  enable_cdi = true\n'),
    "a bare header": (f'[plugins."{CRI}"] # x', f'[plugins."{CRI}"] # x\nenable_cdi = true'),
    "indentation": (f'[plugins."{CRI}"]\n\ta = 1\n', f'[plugins."{CRI}"]\n\tenable_cdi = true\n\ta = 1\n'),
    "dotted keys": (
        f"plugins.'{CRI}'.a = 1 # c\nb = 2\n",
        f"plugins.'{CRI}'.a = 1 # c\nplugins.'{CRI}'.enable_cdi = true\nb = 2\n",
    ),
    "an inline table": (f'[plugins]\n"{CRI}" = {{ a = 1 }}', f'[plugins]\n"{CRI}" = {{ enable_cdi = true, a = 1 }}'),
    "an empty inline table": ("plugins = {}\n", f'plugins = {{"{CRI}".enable_cdi = true}}\n'),
    "a value": (
        f'[plugins."{CRI}"]\nenable_cdi = false # on purpose\n',
        f'[plugins."{CRI}"]\nenable_cdi = true # on purpose\n',
    ),
    "a header after subtables": (
        f'[plugins."{CRI}".cni]\nx = 1\n[plugins."{CRI}"]\ny = 1\n',
        f'[plugins."{CRI}".cni]\nx = 1\n[plugins."{CRI}"]\nenable_cdi = true\ny = 1\n',
    ),
}


@pytest.mark.parametrize(("before", "after"), EDITS.values(), ids=EDITS)
def test_the_smallest_edit(before: str, after: str) -> None:
    assert tomltext.put(before, KEY, value=True).applied(before) == after


@pytest.mark.parametrize("text", ["plugins = 1", "[[plugins]]", f'[[plugins."{CRI}"]]\n', "a = ", "a = 1\na = 2\n",
                                  f'[plugins."{CRI}".enable_cdi]\n', "a = [" * 3000])  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(EditError):
        tomltext.put(text, KEY, value=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("d = []", 'd = ["/x"]'),
        ("d = [ ]", 'd = ["/x" ]'),
        ("d = ['/a']", "d = ['/a', \"/x\"]"),
        ("d = ['/a',]", "d = ['/a', \"/x\",]"),
        ("d = [\n '/a', # a\n]", "d = [\n '/a', \"/x\", # a\n]"),
        ("d = [\n '/a' # a ]\n]", "d = [\n '/a', \"/x\" # a ]\n]"),
    ],
)
def test_an_item_is_added_to_a_list(before: str, after: str) -> None:
    assert tomltext.append(before, ("d",), "/x").applied(before) == after


# Random documents: text is put together from pieces, nasty ones among them, and need not be valid.

_NAMES = ["a", "b-c", '"x y"', "'q.r'", '"\\u0065"', "enable_cdi", "version"]
_TABLES = ["plugins", f'plugins."{CRI}"', f"plugins.'{CRI}'", f'plugins."{CRI}".containerd', "plugins.cri", "grpc",
           f'plugins . "{CRI}" . "cni"', 'plugins."io.containerd.cri.v1.runtime"', "site.deep.er"]  # fmt: skip
_VALUES = ["1", "true", "0xf", "1979-05-27 07:32:00", "nan", "[ 1, 2, ]", "[\n  'a', # c ]\n  'b'\n]",
           '"#"', '"\\"]"', "'''\n[plugins]\n'''", '"""\nenable_cdi = true\\\n  """', '""""x"""""',
           "{ a = 1, b.c = [ {} ] }",
           "{}", "{  }", "[[1], [{ x = '}' }]]", "'[not.a.header]'", '"\u00e4\u88c5\U0001f994"']  # fmt: skip
_COMMENTS = ["", "", "", " # c", "\t# [x]", " # \u00e4 = 1"]


def random_text(dice: random.Random) -> str:
    end = dice.choice(["\n", "\n", "\n", "\r\n"])
    lines = ["version = 2"] if dice.random() < 0.7 else []
    lines += [_pair(dice) for _ in range(dice.randrange(5))]
    for _ in range(dice.randrange(6)):
        table = dice.choice(_TABLES)
        several = table == "site.deep.er" or dice.random() < 0.05
        indent = dice.choice(["", "", "  ", "\t"])
        lines.append(f"{indent}{'[[' if several else '['}{table}{']]' if several else ']'}{dice.choice(_COMMENTS)}")
        lines += [indent + _pair(dice) for _ in range(dice.randrange(4))]
    mixed = dice.random() < 0.1
    text = "".join(line.replace("\n", end) + (dice.choice(["\n", "\r\n"]) if mixed else end) for line in lines)
    text = text.removesuffix(end) if dice.random() < 0.3 else text
    return (BOM if dice.random() < 0.1 else "") + text


def _pair(dice: random.Random) -> str:
    if dice.random() < 0.15:
        return dice.choice(["", "# comment", "   ", "# [plugins]"])
    name = dice.choice(_NAMES)
    if dice.random() < 0.2:
        name = f"{dice.choice(_TABLES)}{dice.choice(['.', ' . '])}{name}"
    name += str(dice.randrange(99)) if name.isalpha() else ""
    return name + dice.choice([" = ", "=", "   =\t"]) + dice.choice(_VALUES) + dice.choice(_COMMENTS)


def has_place(document: dict[str, Any]) -> bool:
    """Tell whether TOML leaves room for the key at all: tables on the way, and no table in its place."""
    table: Any = document
    for part in KEY[:-1]:
        table = table.get(part, {})
        if not isinstance(table, dict):
            return False
    return not isinstance(table.get("enable_cdi"), dict)


def test_random_documents_lose_nothing() -> None:
    dice = random.Random(5)
    valid = refused = 0
    while valid < RUNS:
        text = random_text(dice)
        try:
            before = tomltext.document(text)
        except EditError:
            continue
        if not has_place(before):
            continue
        valid += 1
        try:
            edit = tomltext.put(text, KEY, value=True)
        except EditError:
            refused += 1
            continue
        after = edit.applied(text)
        assert (after[: edit.start], after[edit.start + len(edit.text) :]) == (text[: edit.start], text[edit.end :])
        now = tomltext.document(after)
        assert tomltext.lookup(now, KEY) is True
        before.setdefault("plugins", {}).setdefault(CRI, {})["enable_cdi"] = True
        assert tomltext.same(now, before)
        again = tomltext.put(after, KEY, value=True)
        assert again.applied(after) == after
    assert refused < 0.02 * valid, f"{refused} of {valid} were refused"


def test_random_configurations_come_back_byte_for_byte() -> None:
    dice = random.Random(6)
    applied = blocked = 0
    while applied < RUNS // 2:
        text = random_text(dice)
        try:
            tomltext.document(text)
        except EditError:
            continue
        machine = Machine(dice.choice([(1, 7), (2, 1), (2, 3)]), text.encode(), Wish(dice.choice(["/etc/cdi", "/x"])))
        answer = machine.apply()
        if answer.blocked:
            assert machine.files == {CONFIG: text.encode()}
            blocked += 1
            continue
        applied += 1
        assert machine.apply().changes == ()
        assert machine.revert() == ()
        assert machine.files == {CONFIG: text.encode()}
    assert blocked < 0.15 * applied


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_edited_right_or_refused(text: str) -> None:
    try:
        after = tomltext.put(text, KEY, value=True).applied(text)
    except EditError:
        return
    assert tomltext.lookup(tomltext.document(after), KEY) is True


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_planned_or_refused(data: bytes) -> None:
    machine = Machine((1, 7), data, Wish("/etc/cdi"))
    assert machine.apply().blocked or machine.revert() == ()
    assert machine.files == {CONFIG: data}

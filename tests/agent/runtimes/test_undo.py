"""Taking back what was changed after others have edited, over random configurations and random edits."""

from __future__ import annotations

import random

from agent.runtimes import tomltext, undo
from agent.runtimes.answers import KeyChange, Wish
from agent.runtimes.tomltext import EditError
from tests.agent.runtimes.machine import CONFIG, Machine
from tests.agent.runtimes.test_tomltext import random_text

KEY = ("plugins", "io.containerd.grpc.v1.cri", "enable_cdi")


def others_edit(dice: random.Random, text: str) -> str:
    """Edit as others do: whole lines added, removed or commented, anywhere; valid TOML, our keys left as they are."""
    before = tomltext.document(text)
    for _ in range(20):
        lines = text.splitlines(keepends=True)
        at = dice.randrange(len(lines) + 1)
        match dice.randrange(4):
            case 0:
                lines.insert(at, "# theirs\n")
            case 1:
                lines.insert(at, f"theirs{dice.randrange(1000)} = 1\n")
            case 2:
                lines.append(f"\n[theirs{dice.randrange(1000)}]\nx = [1, 2]\n")
            case _:
                if at < len(lines) and "cdi" not in lines[at] and lines[at].endswith("\n"):
                    lines[at] = lines[at].rstrip("\r\n") + " # theirs\n"
        try:
            now = tomltext.document("".join(lines))
        except EditError:
            continue
        if "".join(lines) != text and ours(now) == ours(before):
            return "".join(lines)
    return text + "# theirs\n"


def ours(document: dict[str, object]) -> object:
    return tomltext.lookup(document, KEY), document.get("version")


def test_others_lines_survive_and_our_keys_go() -> None:
    dice = random.Random(8)
    tried = could_not = 0
    while tried < 600:
        text = random_text(dice)
        try:
            original = tomltext.document(text)
        except EditError:
            continue
        machine = Machine((1, 7), text.encode(), Wish("/etc/cdi"))
        answer = machine.apply()
        if not answer.changes or tomltext.lookup(original, KEY) is not None or "version" not in original:
            continue
        edited = machine.files[CONFIG].decode()
        for _ in range(dice.randrange(1, 4)):
            edited = others_edit(dice, edited)
        machine.files[CONFIG] = edited.encode()
        reasons = machine.revert()
        left = machine.files[CONFIG].decode()
        tried += 1
        could_not += bool(reasons)
        assert left.count("theirs") == edited.count("theirs")
        document = tomltext.document(left)
        if reasons:
            assert left == edited
        else:
            assert tomltext.lookup(document, KEY) is None
            wanted, plugins = tomltext.document(edited), tomltext.lookup(tomltext.document(edited), KEY[:1])
            assert plugins is not None
            del tomltext.lookup(wanted, KEY[:2])["enable_cdi"]
            for part in (KEY[1], KEY[0]):
                if document.get(KEY[0], {}).get(KEY[1]) is None and part == KEY[1]:
                    assert wanted[KEY[0]].pop(part) == {}
                if part == KEY[0] and KEY[0] not in document:
                    assert wanted.pop(part) == {}
            assert tomltext.same(document, wanted)
    assert could_not < 0.02 * tried, f"{could_not} of {tried}"


def test_what_is_gone_already_needs_nothing() -> None:
    key = KeyChange(("a", "b"), "true", None, None, "b = true\n")
    assert undo.undone(b"c = 1\n", b"", b"[a]\nb = true\n", (key,), tomltext) == (b"c = 1\n", ())
    assert undo.undone(None, None, b"[a]\nb = true\n", (key,), tomltext) == (None, ())


def test_an_item_of_a_list_goes_alone() -> None:
    key = KeyChange(("d",), '"/x"', None, "/x", ', "/x"')
    for now, then in (
        ('d = ["/a", "/x", "/theirs"]', 'd = ["/a", "/theirs"]'),
        ('d = ["/x"]', "d = []"),
        ('d = [\n  "/x",\n  "/b" ]', 'd = [\n  "/b" ]'.replace("\n  ", "\n  ")),
        ('d = ["/a"]', 'd = ["/a"]'),
    ):
        back, reasons = undo.undone(now.encode(), b"?", b"!", (key,), tomltext)
        assert (back, reasons) == (then.encode(), ())


def test_the_version_stays_while_others_rely_on_it() -> None:
    machine = Machine((1, 7), b"", Wish("/etc/cdi"))
    machine.apply()
    machine.files[CONFIG] += b"[plugins.'io.containerd.grpc.v1.cri'.registry]\nconfig_path = '/x'\n"
    (reason,) = machine.revert()
    assert "version stays" in reason
    left = tomltext.document(machine.files[CONFIG].decode())
    assert left["version"] == 2
    assert tomltext.lookup(left, KEY) is None


def test_what_can_no_longer_be_understood_is_left_alone() -> None:
    machine = Machine((1, 7), b"version = 2\n", Wish("/etc/cdi"))
    machine.apply()
    machine.files[CONFIG] = b"version = \xff"
    assert "can no longer be understood" in machine.revert()[0]
    assert machine.files[CONFIG] == b"version = \xff"

from __future__ import annotations

import os
import pty
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cli.terminal import harmless, say, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain text", "plain text"),
        ("Gerät 日本", "Gerät 日本"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x9b31m", "\\x9b31m"),
        ("\x00\x7f", "\\x00\\x7f"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("\udcff", "\\udcff"),
        ("\u2028", "\\u2028"),
        ("x" * 4096, "x" * 4096),
        ("x" * 4097, "x" * 4096 + "..."),
    ],
)
def test_a_text_does_nothing_but_show_itself(text: str, shown: str) -> None:
    assert harmless(text) == shown


@settings(deadline=None)
@given(st.text(st.characters()))
def test_every_text_becomes_printable(text: str) -> None:
    assert harmless(text).isprintable()


def test_a_table_is_in_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table(("KIND", "DEVICE"), [("acme.com/modem", "a"), ("x.io/y", "\x1b[2J"), ("z", "")])
    assert capsys.readouterr().out == "KIND            DEVICE\nacme.com/modem  a\nx.io/y          \\x1b[2J\nz\n"


def test_a_table_without_rows_is_its_titles(capsys: pytest.CaptureFixture[str]) -> None:
    table(("KIND", "DEVICE"), [])
    assert capsys.readouterr().out == "KIND  DEVICE\n"


def test_messages_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\nb")
    assert capsys.readouterr() == ("", "a\\nb\n")


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80", **environment}.items():
        monkeypatch.setenv(name, value)
    outer, inner = pty.openpty()
    with os.fdopen(inner, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        table(("DEVICE", "STATE"), [("[red]a[/red]", "present"), ("\x1b[2J", "kept")])
        terminal.flush()
        shown = os.read(outer, 10_000).decode()
    os.close(outer)
    return shown


def test_on_a_terminal_a_table_has_colours_and_its_cells_have_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = on_a_terminal(monkeypatch)
    assert "\x1b[32mpresent" in shown
    assert "[red]a[/red]" in shown
    assert "\\x1b[2J" in shown
    assert "\x1b[2J" not in shown


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = on_a_terminal(monkeypatch, NO_COLOR="1")
    assert "present" in shown
    assert "\x1b[32m" not in shown

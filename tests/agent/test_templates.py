from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import templates
from agent.templates import Choice, TemplateError, device_name, parse, path_component
from cdi.names import device_problem

FACTS = {
    "ID_SERIAL_SHORT": "S1",
    "ID_PATH": "",
    "sysname": "ttyUSB0",
    "usb:port": "1-1.4",
    "attr:queue/rotational": "0",
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{sysname}", "ttyUSB0"),
        ("{ID_SERIAL_SHORT|sysname}", "S1"),
        ("{ID_MODEL|sysname}", "ttyUSB0"),
        ("{ID_PATH|sysname}", "ttyUSB0"),
        ("{ ID_MODEL | sysname }", "ttyUSB0"),
        ("{usb:port}-{attr:queue/rotational}", "1-1.4-0"),
        ("fixed", "fixed"),
        ("a{sysname}b{sysname}c", "attyUSB0bttyUSB0c"),
        ("{{}}", "{}"),
        ("{{{sysname}}}", "{ttyUSB0}"),
        ("{{sysname}}", "{sysname}"),
        ("{sysname}}}", "ttyUSB0}"),
        ("100%|", "100%|"),
    ],
)
def test_a_template_is_filled_from_facts(text: str, filled: str) -> None:
    assert parse(text).fill(FACTS.get) == filled


@pytest.mark.parametrize(
    ("text", "field"),
    [("{sysname}", ""), ("x", ""), ("{ID_PATH|sysname}", "sysname"), ("x{serial}-{link|serial|ID_PATH}", "ID_PATH")],
)
def test_a_template_knows_what_it_asks_for_last(text: str, field: str) -> None:
    assert parse(text).last_resort == field


@pytest.mark.parametrize("text", ["{ID_MODEL}", "x{sysname}-{ID_PATH|ID_MODEL}", "{ID_PATH}"])
def test_a_template_without_its_facts_names_the_choice_that_has_none(text: str) -> None:
    missing = parse(text).fill(FACTS.get)
    assert isinstance(missing, Choice)
    assert str(missing) in text


def test_facts_are_cleaned_and_fixed_text_is_not() -> None:
    assert parse("/dev/{sysname}").fill({"sysname": "a/b"}.get, path_component) == "/dev/a-b"


def test_a_template_knows_every_field_it_may_ask_for() -> None:
    assert parse("a{ID_PATH|sysname}{attr:x/y}").fields == {"ID_PATH", "sysname", "attr:x/y"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "it is empty"),
        ("{", "'{' at character 1 has no partner"),
        ("}", "'}' at character 1 has no partner"),
        ("ab{sysname", "'{' at character 3 has no partner"),
        ("{sysname}}", "'}' at character 10 has no partner"),
        ("{sys{name}}", "'{' at character 1 has no partner"),
        ("{}", "{} is not a known field"),
        ("{sysname|}", "{} is not a known field"),
        ("{sysnam}", "did you mean 'sysname'"),
        ("{usb:seriel}", "did you mean 'usb:serial'"),
        ("{pci:adress}", "did you mean 'pci:address'"),
        ("{Sysname}", "did you mean 'sysname'"),
        ("{quux}", "known are sysname, number, subsystem, driver"),
        ("{id_serial}", "is not a known field"),
        ("{Id_Serial}", "is not a known field"),
        ("{attr:}", "is not a known field"),
        ("{attr:/etc/shadow}", "is not a known field"),
        ("{attr:../../x}", "is not a known field"),
        ("{attr:a\0b}", "is not a known field"),
        ("{name}", "{name} is not a known field"),
        ("{devnode}", "{devnode} is not a known field"),
        ("{sysname\n}x{\n}", "{} is not a known field"),
    ],
)
def test_a_template_that_cannot_be_understood(text: str, complaint: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(complaint)):
        parse(text)


def test_edits_know_more_fields_than_names_do() -> None:
    assert parse("/dev/{name}/{devnode}", extra=templates.IN_EDITS).fields == {"name", "devnode"}


@settings(deadline=None)
@given(st.text("{}|ab :", max_size=12) | st.text(max_size=12))
def test_every_text_is_a_template_or_an_error(text: str) -> None:
    try:
        template = parse(text)
    except TemplateError:
        return
    assert isinstance(template.fill(lambda _: "x"), str)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("S1234", "S1234"),
        ("mpath-360000", "mpath-360000"),
        ("0000:00:1f.2", "0000:00:1f.2"),
        ("1-1.4:1.0", "1-1.4:1.0"),
        ("My Disk (large)", "My-Disk-large"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\x1b[31mred\n", "a-31mred"),
        ("a::b", "a:b"),
        ("a:::::b", "a:b"),
        ("a: :b", "a:-:b"),
        ("__x__", "x"),
        ("-x-", "x"),
        (".x:", "x"),
        ("Gerät", "Ger-t"),
        ("x" * 56, "x" * 56),
    ],
)
def test_what_a_device_says_becomes_a_name(raw: str, name: str) -> None:
    assert device_name(raw) == name


@pytest.mark.parametrize("raw", ["日本語", "", "::::", "-", "../..", "\0", " " * 300, "\udcff"])
def test_a_word_of_which_nothing_is_left_becomes_its_hash(raw: str) -> None:
    assert re.fullmatch("[0-9a-f]{12}", device_name(raw))


@pytest.mark.parametrize(
    "raw", ["x" * 57, "x" * 10_000, "ab-" * 30, "a" + "-" * 60 + "b", "é" * 500 + "x", "a:" * 5000]
)
def test_a_long_word_ends_in_a_hash_of_the_whole(raw: str) -> None:
    name, other = device_name(raw), device_name(raw + "y")
    assert len(name) <= 56
    assert re.search("[0-9a-f]{12}$", name)
    assert name != other


HOSTILE = st.one_of(
    st.text(st.characters()),  # with lone surrogates
    st.text(":-_./ a", max_size=300),
    st.text("a", min_size=50, max_size=60),
    st.builds(str.__mul__, st.sampled_from(["::", "../", "é", "a:", "\x00", "a", ":-"]), st.integers(0, 5000)),
)


@settings(max_examples=400, deadline=None)
@given(HOSTILE)
def test_every_word_becomes_a_valid_name(raw: str) -> None:
    name = device_name(raw)
    assert device_problem(name) is None
    assert len(name) <= templates.NAME_LIMIT
    assert "::" not in name
    assert device_name(raw) == name


@settings(deadline=None)
@given(st.text("ab:-", max_size=60).filter(lambda raw: device_problem(raw) is None and "::" not in raw))
def test_a_word_that_is_a_name_already_stays_as_it_is(raw: str) -> None:
    assert device_name(raw) == raw or len(raw) > templates.NAME_LIMIT


@pytest.mark.parametrize(
    ("raw", "component"),
    [
        ("sda", "sda"),
        ("a b", "a b"),
        ("..", "_"),
        (".", "_"),
        ("", "_"),
        ("...", "..."),
        ("../../etc", "..-..-etc"),
        ("/etc/passwd", "-etc-passwd"),
        ("a\x00b\x1b\x85\u2028\udc80c", "a-b-c"),
        ("abc\u202etxt.exe", "abc-txt.exe"),
        ("Gerät 1", "Gerät 1"),
        ("x" * 120, "x" * 120),
    ],
)
def test_what_a_device_says_becomes_one_component_of_a_path(raw: str, component: str) -> None:
    assert path_component(raw) == component


@settings(max_examples=400, deadline=None)
@given(HOSTILE)
def test_a_component_of_a_path_is_harmless(raw: str) -> None:
    component = path_component(raw)
    assert component not in ("", ".", "..")
    assert "/" not in component
    assert component.isprintable()
    assert len(component.encode()) <= 120


@pytest.mark.parametrize("raw", ["x" * 121, "é" * 61, "x" * 10_000, "\0" * 10_000])
def test_a_long_component_ends_in_a_hash_of_the_whole(raw: str) -> None:
    assert re.search("-[0-9a-f]{12}$", path_component(raw))
    assert path_component(raw) != path_component(raw + "y")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Acme Ünit 3", "Acme Ünit 3"),
        ("a\x1b[31mred\r\n", "a-[31mred-"),
        ("a\u202egpj.exe\u2069", "a-gpj.exe-"),
        ("\ud800", "-"),
        ("x" * 10_000, "x" * 4096),
    ],
)
def test_text_of_a_device_shows_as_what_it_is(raw: str, text: str) -> None:
    assert templates.plain_text(raw) == text

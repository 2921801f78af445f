from __future__ import annotations

import random
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.config import files
from agent.config.checking import known_keys, settings_of, spelled
from agent.config.files import ConfigError, parse
from agent.config.load import load

if TYPE_CHECKING:
    from agent.config.settings import Settings

MODEM = '[[class]]\nkind = "acme.com/modem"\nselect = [{ devnode = "/dev/ttyUSB*" }]\n'


def loaded(*texts: str) -> Settings:
    """Settings of files named ``1.toml``, ``2.toml`` and so on."""
    return settings_of(tuple(parse(f"{number}.toml", text) for number, text in enumerate(texts, 1)))


def faults(*texts: str) -> list[str]:
    try:
        loaded(*texts)
    except ConfigError as error:
        return list(map(str, error.problems))
    return []


SYNTAX = [
    ("version = ", "1.toml:1: this is not TOML: invalid value; correct it; nothing was changed"),
    ("version = 1\n[agent\n", "1.toml:2:7: this is not TOML: expected ']' at the end of a table declaration; "),
    ('a = "x', "1.toml:1: this is not TOML: unterminated string; "),
    ('\n\na = """x\n', "1.toml:4: this is not TOML: "),
    ("a = 1\na = 2", "1.toml:2: this is not TOML: cannot overwrite a value; "),
    ("[agent]\n[agent]", "1.toml:2:7: this is not TOML: cannot declare ('agent',) twice; "),
    ("a = 01", "1.toml:1:6: this is not TOML: "),
    ("a = 1\x00", "1.toml:1:6: this is not TOML: "),
    ("a = 1\rb = 2", "1.toml:1:6: this is not TOML: "),
    ("é = 1", "1.toml:1:1: this is not TOML: invalid statement; "),
    (f"a = {'9' * 5000}", "1.toml: this is not TOML: exceeds the limit (4300 digits) for integer string conversion"),
    (f"a = {'[' * 100_000}", "1.toml: is nested too deeply to be a configuration; write it flat"),
    (f"a = {'{b=' * 100_000}", "1.toml: is nested too deeply to be a configuration; write it flat"),
]

KEYS = [
    ("[agnet]", "1.toml:1:1: agnet: unknown key; did you mean 'agent'?"),
    ("[agnet.x]\ny = 1", "1.toml:1:1: agnet: unknown key; did you mean 'agent'?"),
    ("[[agnet.x]]\ny = 1", "1.toml:1:1: agnet: unknown key; did you mean 'agent'?"),
    ("agnet.x = 1", "1.toml:1:1: agnet: unknown key; did you mean 'agent'?"),
    ("quux = 1", "1.toml:1:1: quux: unknown key; known here: version, agent, kubelet, containerd, class"),
    ('"" = 1', '1.toml:1:1: "": unknown key; known here: version, agent, kubelet, containerd, class'),
    ('"a b" = 1', '1.toml:1:1: "a b": unknown key; known here: version, agent, kubelet, containerd, class'),
    ("[agent]\nsettel = 1", "1.toml:2:1: agent.settel: unknown key; did you mean 'settle'?"),
    ("[agent]\n  spec-dir = 1", "1.toml:2:3: agent.spec-dir: unknown key; did you mean 'spec_dir'?"),
    (MODEM + "nmae = 1", "1.toml:4:1: class[0].nmae: unknown key; did you mean 'name'?"),
    (
        MODEM + "container_edits = {}",
        "1.toml:4:1: class[0].container_edits: unknown key; did you mean 'containerEdits'?",
    ),
    (MODEM + "[class.node]\nmode = 1", "1.toml:5:1: class[0].node.mode: unknown key; "),
    (
        MODEM + "[[class.exclude]]\n[[class.exclude]]\ndevnod = 1",
        "1.toml:6:1: class[0].exclude[1].devnod: unknown key; did you mean 'devnode'?",
    ),
    (
        MODEM + MODEM + "[[class.device]]\nwhn = 1",
        "1.toml:8:1: class[1].device[0].whn: unknown key; did you mean 'when'?",
    ),
]

TYPES = [
    ("version = 2", "1.toml:1:1: version: must be 1, not 2; choose one of these"),
    ('version = "1"', "1.toml:1:1: version: must be 1, not '1'; "),
    ("agent = 1", "1.toml:1:1: agent: must be a table, not a whole number; write a table"),
    ("[[agent]]", "1.toml:1:1: agent: must be a table, not a list; write a table"),
    ("[agent]\nspec_dir = 1", "1.toml:2:1: agent.spec_dir: must be a string, not a whole number; write a string"),
    ('[agent]\nspec_dir = "cdi"', "1.toml:2:1: agent.spec_dir: must be an absolute path, not 'cdi'; correct it"),
    ('[agent]\nsettle = "5"', '1.toml:2:1: agent.settle: must be a time such as "100ms", "30s" or "10m", not \'5\''),
    ('[agent]\nsettle = "-5s"', "1.toml:2:1: agent.settle: must be a time such as "),
    ('[agent]\nsettle = "5s\\n"', "1.toml:2:1: agent.settle: must be a time such as "),
    ("[agent]\nsettle = 07:32:00", "1.toml:2:1: agent.settle: must be a string, not a date or time; "),
    ('[agent]\nlog = "xml"', "1.toml:2:1: agent.log: must be 'text' or 'json', not 'xml'; choose one of these"),
    (
        '[agent]\nmax_cdi_version = "v1"',
        '1.toml:2:1: agent.max_cdi_version: must be "auto" or a CDI version such as "0.5.0", not \'v1\'',
    ),
    (
        '[agent]\nmax_cdi_version = "0.9.0"',
        "1.toml:2:1: agent.max_cdi_version: '0.9.0' is no version of CDI; known are 0.1.0, ",
    ),
    ("class = 1", "1.toml:1:1: class: must be a list, not a whole number; "),
    ("class = [1]", "1.toml:1:10: class[0]: must be a table, not a whole number; write a table"),
    ('[class]\nkind = "a.b/c"', "1.toml:1:1: class: must be a list, not a table; write [[class]], in two brackets"),
    (
        '[[class]]\nkind = "acme.com/x"\n[class.select]\ndevnode = "/x"',
        "1.toml:3:1: class[0].select: must be a list, not a table; write [[class.select]], in two brackets",
    ),
    ("[[class]]\nkind = 1", "1.toml:2:1: class[0].kind: must be a string, not a whole number; write a string"),
    (MODEM + "[class.node]\ngroup = 1", "1.toml:5:1: class[0].node.group: must be true or false, not a whole number"),
    (
        MODEM + '[class.node]\npermissions = "rwx"',
        "1.toml:5:1: class[0].node.permissions: must be made of the letters r, w and m, not 'rwx'",
    ),
    (
        MODEM + "[[class.exclude]]\nsubsystem = 1",
        (
            "1.toml:5:1: class[0].exclude[0].subsystem: must be a glob or a list of globs, not a whole number; "
            'write it like "a*" or ["a*", "b"]'
        ),
    ),
    (
        MODEM + '[[class.exclude]]\nsubsystem = ["a", 1]',
        "1.toml:5:19: class[0].exclude[0].subsystem[1]: must be a glob or a list of globs, not a whole number; ",
    ),
    (
        MODEM + "[[class.exclude]]\nproperties = { X = 1 }",
        "1.toml:5:16: class[0].exclude[0].properties.X: must be a glob or a list of globs, not a whole number",
    ),
    (
        MODEM + "[[class.exclude]]\nproperties = { str = 1 }",
        "1.toml:5:16: class[0].exclude[0].properties.str: must be a glob or a list of globs, not a whole number",
    ),
    (MODEM + "[[class.exclude]]\nproperties = 1", "1.toml:5:1: class[0].exclude[0].properties: must be a table, not a"),
    (
        MODEM + '[[class.device]]\nname = "x"\nannotations = { str = [] }\ncontainerEdits.env = ["A=1"]',
        "1.toml:6:17: class[0].device[0].annotations.str: must be a string, not a list; write a string",
    ),
    (
        MODEM + '[[class.device]]\nname = "x"\nwhen = "often"\ncontainerEdits.env = ["A=1"]',
        "1.toml:6:1: class[0].device[0].when: must be 'present' or 'always', not 'often'",
    ),
    (f"version = 0x{'f' * 5000}", "1.toml:1:1: version: has more than 64 bits; write a smaller number"),
    ("x = [1, {a = 0}, { a = -9223372036854775809 }]", "1.toml:1:20: x[2].a: has more than 64 bits; "),
    (f"version = '{'x' * 5000}'", "1.toml:1:1: version: must be 1, not 'xxx"),
]


@pytest.mark.parametrize(("text", "fault"), SYNTAX + KEYS + TYPES)
def test_a_fault_is_told_with_its_place_and_what_to_do(text: str, fault: str) -> None:
    (told,) = faults(text)
    assert told.startswith(fault)
    assert "; " in told


def test_all_faults_are_told_at_once() -> None:
    told = faults("a = 1\nb = 2\n[agent]\nc = 1\nlog = 1\n" + MODEM + "d = 1")
    assert {fault.split(": ")[1] for fault in told} == {"a", "b", "agent.c", "agent.log", "class[0].d"}


DEEP = ".".join("a" * 3000)


@pytest.mark.parametrize(
    "text",
    [
        f"{DEEP} = 1",
        f"[{DEEP}]",
        f"agent.log.{DEEP} = 1",
        f"version.{DEEP} = 1",
        f"{MODEM}containerEdits.{DEEP} = 1",
        f"{MODEM}containerEdits.env = [{{ {DEEP} = 1 }}]",
        f'[[class]]\npreset = "kvm"\nnode.{DEEP} = 1',
        f"{MODEM}containerEdits.additionalGids = [0x{'f' * 5000}]",
        f"{MODEM}containerEdits.additionalGids = [0x{'f' * 5000}, 'x']",
        f"{MODEM}containerEdits.intelRdt.x = [0x{'f' * 5000}]",
        f"{MODEM}containerEdits.additionalGids = [nan]",
        f"{MODEM}containerEdits.additionalGids = [inf]",
        f"{MODEM}containerEdits.additionalGids = [1979-05-27]",
        f"{MODEM}containerEdits.env = [1979-05-27T07:32:00Z]",
        f"{MODEM}containerEdits.{{}} = 1".replace("{}", '"a.b[0]\\u0000\\n"'),
        f"{MODEM}containerEdits.env = {'[' * 200}{']' * 200}",
        f"a = 0x{'f' * 5000}\nb = {'[' * 400}{']' * 400}\nc = 0x{'f' * 5000}",
        "class = [[]]",
        "class = [[[[]]]]",
        "[[class]]\nselect = [[]]\npreset = {}",
        "[[class]]\npreset = []",
        '[[class]]\npreset = "kvm"\nselect = 1\nnode = 1',
    ],
)
def test_a_wild_text_is_refused_in_a_sentence(text: str) -> None:
    told = faults(text)
    assert told
    assert all(fault.startswith("1.toml") and "; " in fault for fault in told)
    assert all(len(fault) < 20_000 for fault in told)


def test_later_tables_merge_and_later_values_replace() -> None:
    settings = loaded('[agent]\nspec_dir = "/a"\nsettle = "1s"\n' + MODEM, '[agent]\nsettle = "2s"\nresync = "1h"\n')
    assert (settings.spec_dir, settings.settle, settings.resync) == ("/a", 2.0, 3600.0)
    assert settings.files == ("1.toml", "2.toml")


def test_classes_accumulate_in_order() -> None:
    settings = loaded(MODEM, MODEM.replace("modem", "aa") + MODEM.replace("modem", "bb"))
    assert [one.kind for one in settings.classes] == ["acme.com/modem", "acme.com/aa", "acme.com/bb"]
    assert [one.origin for one in settings.classes] == ["1.toml:2:1", "2.toml:2:1", "2.toml:5:1"]


def test_one_kind_twice_names_both_places() -> None:
    assert faults(MODEM, "# mine\n" + MODEM) == [
        (
            "2.toml:3:1: class[0].kind: 'acme.com/modem' is the kind of another class already, at 1.toml:2:1; "
            "a kind is one spec file: merge the classes, or name one differently"
        )
    ]


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        (("[agent]\nlog = 1", '[agent]\nresync = "1h"'), "1.toml:2:1: agent.log"),
        (("[agent]\nlog = 'text'", "[agent]\n\nlog = 1"), "2.toml:3:1: agent.log"),
        (("[agent]\nlog = 1", "[agent]\n\nlog = 2"), "2.toml:3:1: agent.log"),
        (("agnet = 1", "[agent]"), "1.toml:1:1: agnet"),
        (("[agent]", "\nagent.x = 1", "[agent]"), "2.toml:2:1: agent.x"),
        ((MODEM, "[agent]", MODEM.replace("modem", "x") + "y = 1"), "3.toml:4:1: class[0].y"),
        (("class = 1", MODEM), "1.toml:1:1: class: must be a list"),
        (("[class]", MODEM), "1.toml:1:1: class: must be a list"),
        ((MODEM, "[class]"), "2.toml:1:1: class: must be a list"),
        ((MODEM, "agent = 1"), "2.toml:1:1: agent: must be a table"),
    ],
)
def test_a_fault_is_told_of_the_file_that_has_it(texts: tuple[str, ...], fault: str) -> None:
    assert any(told.startswith(fault) for told in faults(*texts)), faults(*texts)


def test_a_preset_is_a_class_to_start_from() -> None:
    (one,) = loaded('[[class]]\npreset = "kvm"\nname = "x-{sysname}"\nnode = { group = true }').classes
    assert (one.kind, one.name.text, one.node.group, one.node.permissions) == (
        "cdi-sync/kvm",
        "x-{sysname}",
        True,
        "rw",
    )
    assert one.selects[0].devnode[0].text == "/dev/kvm"
    assert one.origin == "1.toml:1:1"


def test_a_key_of_an_array_replaces_the_presets() -> None:
    (one,) = loaded('[[class]]\npreset = "kvm"\nkind = "acme.com/kvm"\nselect = [{ devnode = "/dev/k" }]').classes
    assert one.kind == "acme.com/kvm"
    assert [[pattern.text for pattern in select.devnode] for select in one.selects] == [["/dev/k"]]


def test_a_preset_used_twice_stays_as_it_was() -> None:
    text = '[[class]]\npreset = "kvm"\nkind = "acme.com/%s"\nnode.permissions = "%s"\n'
    first, second = loaded(text % ("aa", "r") + text % ("bb", "w")).classes
    assert (first.node.permissions, second.node.permissions) == ("r", "w")
    (again,) = loaded('[[class]]\npreset = "kvm"').classes
    assert again.node.permissions == "rw"


def test_one_preset_twice_names_both_uses() -> None:
    (told,) = faults('[[class]]\npreset = "kvm"\n[[class]]\npreset = "kvm"\n')
    assert told.startswith(
        "1.toml:3:1: class[1].kind: 'cdi-sync/kvm' is the kind of another class already, at 1.toml:1:1;"
    )


def test_an_unknown_preset_is_one_fault() -> None:
    (told,) = faults('[[class]]\npreset = "kvn"')
    assert told.startswith("1.toml:2:1: class[0].preset: there is no preset 'kvn'; known are ")
    assert "kvm" in told


@pytest.mark.parametrize("name", files.preset_names())
def test_every_preset_is_a_class_by_itself(name: str) -> None:
    (one,) = loaded(f'[[class]]\npreset = "{name}"').classes
    assert one.kind == f"cdi-sync/{name}"
    source = files.preset(name)
    assert source is not None
    (same,) = settings_of((source,)).classes
    assert (same.selects, same.name) == (one.selects, one.name)


def test_the_embedded_default_loads() -> None:
    text = (resources.files("agent.presets") / "default.toml").read_text()
    settings = settings_of((parse(files.EMBEDDED, text),))
    named = ("dri", "fuse", "kvm", "tun", "usb-serial", "video")
    assert {one.kind for one in settings.classes} == {f"cdi-sync/{name}" for name in named}
    assert (settings.files, settings.spec_dir, settings.resync) == ((), "/etc/cdi", 600.0)


def test_directories_of_the_command_line_replace_the_configured(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[agent]\nspec_dir = "/a//b/"\nstate_dir = "/s"\n')
    assert load(str(path)).spec_dir == "/a/b"
    settings = load(str(path), spec_dir="x/../y", state_dir=str(tmp_path))
    assert settings.spec_dir == str(Path.cwd() / "y")
    assert settings.state_dir == str(tmp_path)
    assert settings.files == (str(path),)


def test_an_empty_file_is_a_configuration_without_classes() -> None:
    assert loaded("").classes == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("class", 2, "select", 0, "devnode"), "class[2].select[0].devnode"),
        (("agent",), "agent"),
        (("class", 0, "attributes", "queue/rotational"), 'class[0].attributes."queue/rotational"'),
    ],
)
def test_a_path_is_spelled_as_one_reads_it(path: tuple[str | int, ...], text: str) -> None:
    assert spelled(path) == text


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ((), ["version", "agent", "kubelet", "containerd", "class"]),
        (("class", 3, "node"), ["permissions", "path", "group"]),
        (("class", 3, "select", 0), ["devnode", "sysname", "subsystem", "driver", "tags", "properties"]),
        (("class", 3, "select", 0, "parent"), ["sysname", "subsystem", "driver", "attributes"]),
        (("nonsense", "x"), []),
        (("agent", "log"), []),
    ],
)
def test_the_known_keys_of_a_table(path: tuple[str | int, ...], keys: list[str]) -> None:
    assert known_keys(path)[: len(keys) or None] == keys


EXAMPLE = """\
version = 1

[agent]
spec_dir = "/etc/cdi"
settle = "100ms"
max_cdi_version = "0.7.0"
log = "text"

[[class]]
kind = "pflex.io/block"
name = "{DM_UUID|sysname}"
  [[class.select]]
  subsystem = "block"
  devnode = ["/dev/dm-*", "/dev/mapper/mpath*"]
  properties = { DM_UUID = "mpath-*" }
  attributes = { "queue/rotational" = ["0", '1'] }
  [[class.exclude]]
  devnode = "/dev/dm-[3-5]"
  [class.node]
  permissions = "rw"
  path = "/dev/block/{name}"
  group = true
  [class.containerEdits]
  env = ["BLOCK_VENDOR=pflex"]

[[class]]
kind = "ihcsim.dev/kvm"
  [[class.device]]
  name = "kvm0"
  containerEdits.deviceNodes = [{ path = "/dev/kvm", permissions = "rw" }]
  containerEdits.mounts = [{ hostPath = "/a", containerPath = "/b", options = ["ro"] }]
  annotations = { "a.b/c" = "d" }
  when = "always"

[[class]]
preset = "video"
"""

FRAGMENTS = [
    *("[", "]", "{", "}", '"', "'", "=", ",", ".", "\n", "#", '"""', "\\", "\0", "\x1b", "é", "\U0001f600", "\r\n"),
    *("[[class]]\n", "[class]\n", "[agent]\n", "[class.node]\n", "[[class.select]]\n", "[x.y]\n", "[[agent]]\n"),
    *("kind", "name", "select", "devnode", "preset", "containerEdits", "env", "str", '"tuple[str, ...]"', "version"),
    *("1", "-1", "0x" + "f" * 5000, "nan", "inf", "1e400", "true", "1979-05-27", "[]", "{}", "[[]]", "{a.b.c=1}"),
    *('"a.com/b"', '"a/b"', '"*"', '"["', '"[b-a]"', '"{"', '"{sysnam}"', '"/dev/**"', '"\\u0000"', '"10m"', '"kvm"'),
]


def test_whatever_is_done_to_a_text_it_gives_settings_or_an_error() -> None:
    """Mutations by one seed, not by hypothesis: a few thousand of them are wanted, and none needs shrinking."""
    rng = random.Random(20)
    tokens = re.findall(r'"[^"]*"|\w+|\s+|.', EXAMPLE)
    refused = 0
    for _ in range(4000):
        mutant = list(tokens)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(mutant))
            match rng.randrange(4):
                case 0:
                    del mutant[at]
                case 1:
                    mutant[at] = rng.choice(FRAGMENTS)
                case 2:
                    mutant.insert(at, rng.choice(FRAGMENTS))
                case _:
                    other = rng.randrange(len(mutant))
                    mutant[at], mutant[other] = mutant[other], mutant[at]
        text = "".join(mutant)
        told = faults(text)
        assert all(fault.startswith("1.toml") and "; " in fault for fault in told), text
        refused += bool(told)
    assert 100 < refused < 3900

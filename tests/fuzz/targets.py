"""Every parser of the project as a target: texts to begin with, and what must hold of any bytes.

A check returns whether the parser accepted its input. It may raise nothing but what it finds wrong: the errors of the
project itself are an answer, every other exception is a finding.
"""

from __future__ import annotations

import functools
import random
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agent import patterns, templates
from agent.config import files
from agent.config.checking import settings_of
from agent.config.files import ConfigError
from agent.config.positions import places
from agent.importers.formats import imported
from agent.runtimes import docker, jsontext, listing, tomltext, undo
from agent.runtimes.answers import Source, Wish
from agent.runtimes.tomltext import EditError
from cdi import names
from tests.agent.importers.test_formats import SAMPLES
from tests.agent.runtimes.machine import CONFIG, Machine
from tests.agent.runtimes.test_corpus import CORPUS
from tests.cdi import soak
from tests.cdi.strategies import FRAGMENTS
from tests.fuzz import discovering, kubelet, own

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.runtimes.answers import Answer, FileChange, Version

REPOSITORY = Path(__file__).parents[2]
_TOML = tuple(
    text.encode()
    for text in ("[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\"", "'", '"""', "'''", "#", "\n", "\r\n", "\t", "\\",
                 "true", "0x1", "1e9", "inf", "nan", "1979-05-27", "07:32:00", "[[class]]", "[class.node]",
                 "\"\\u0000\"", "[class.containerEdits]", "[[class.select]]", "{name}", "{attr:../x}", "**", "[!a]",
                 "9" * 5000, "\ufeff", "\u2028", "\x00", "\ud7ff", "[a." * 60, "[" * 60)
)  # fmt: skip
_VERSIONS: tuple[Version, ...] = ((1, 6), (1, 7), (2, 0), (2, 1), (2, 3))


class Target(NamedTuple):
    """A parser: texts that it knows, what it must hold for any, and fragments that mean something to it."""

    seeds: Callable[[], Sequence[bytes]]
    check: Callable[[bytes], bool]
    fragments: Sequence[bytes] = FRAGMENTS


def text_of(data: bytes) -> str | None:
    """Return the text in some bytes, as every reader of files does it first."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _configurations() -> list[bytes]:
    paths = [*(REPOSITORY / "contrib").rglob("*.toml"), *(REPOSITORY / "agent/presets").rglob("*.toml")]
    return [path.read_bytes() for path in sorted(paths)]


def check_configuration(data: bytes) -> bool:
    """Parse, check and compile it: settings, or problems that each name a fact."""
    text = text_of(data)
    if text is None:
        return False
    try:
        settings = settings_of((files.parse("c.toml", text),))
    except ConfigError as error:
        return _refused(error)
    kinds = [one.kind for one in settings.classes]
    assert len(kinds) == len(set(kinds)), kinds
    return True


def _refused(error: ConfigError) -> bool:
    """Return false, that is, not accepted; a refusal must say where and why."""
    assert error.problems
    assert all(problem.where and problem.message for problem in error.problems), error.problems
    return False


def check_toml(data: bytes) -> bool:
    """Find where everything stands in whatever is TOML: each value stands where it is said to."""
    text = text_of(data)
    if text is None:
        return False
    try:
        document = tomltext.document(text)
    except EditError:
        return False
    places(text)
    for path, pair in tomltext.layout(text).pairs.items():
        found = tomllib.loads(f"v = {text[slice(*pair.value)]}")["v"]
        assert tomltext.same(found, _at(document, path)), path
    return True


def _at(document: object, path: tuple[str | int, ...]) -> object:
    for part in path:
        document = document[part]  # type: ignore[index]
    return document


def check_containerd(data: bytes) -> bool:
    """Switch CDI on, find nothing more to do, and take it back byte for byte; or leave it alone."""
    source = random.Random(data)
    machine = Machine(source.choice(_VERSIONS), data, Wish(source.choice(("/etc/cdi", "/srv/acme cdi"))))
    if machine.apply().blocked:
        assert machine.files == {CONFIG: data}
        return False
    assert not machine.apply().changes
    machine.revert()
    assert machine.files == {CONFIG: data}
    return True


def check_listing(data: bytes) -> bool:
    """Name the directory in a file of CRI-O or Podman, and take it back."""
    source = random.Random(data)
    layout = source.choice((listing.CRIO, listing.PODMAN))
    wish = Wish("/srv/cdi", source.choice(("auto", "in-place", "drop-in")))
    answer = listing.plan(layout, (5, 6), [Source(layout.main, data)], wish)
    return _taken_back(answer, {layout.main: data}, tomltext)


def check_docker(data: bytes) -> bool:
    """Switch CDI on in Docker's file, and take it back."""
    answer = docker.plan((27, 0), docker.CONFIG, Source(docker.CONFIG, data), Wish("/srv/cdi"))
    return _taken_back(answer, {docker.CONFIG: data}, jsontext)


def _taken_back(answer: Answer, before: dict[str, bytes], language: undo.Language) -> bool:
    for change in answer.changes:
        write = change.write
        assert before.get(write.name) == write.before
        assert _undone(change, write.data, language) == write.before
        _undone(change, write.data + b"\n\n", language)  # somebody has edited it since
    return answer.blocked is None


def _undone(change: FileChange, now: bytes, language: undo.Language) -> bytes | None:
    return undo.undone(now, change.write.before, change.write.data, change.keys, language)[0]


def check_imported(form: str, data: bytes) -> bool:
    """Translate a peer's configuration: what comes out is one of ours, or it is refused."""
    try:
        text = imported(form, "file", data).text
    except ConfigError as error:
        return _refused(error)
    settings_of((files.parse("c.toml", text),))
    return True


def check_words(data: bytes) -> bool:
    """Compile it as template and as glob, and make a device name of it."""
    text = data.decode("utf-8", "surrogateescape")
    name = templates.device_name(text)
    assert not names.device_problem(name), name
    assert len(name) <= templates.NAME_LIMIT
    assert "::" not in name
    component = templates.path_component(text)
    assert component not in ("", ".", "..")
    assert "/" not in component
    templates.plain_text(text).encode()
    accepted = 0
    for compile_it, error in _COMPILERS:
        try:
            compile_it(text)
        except error:
            continue
        accepted += 1
    return accepted > 0


_COMPILERS: tuple[tuple[Callable[[str], object], type[Exception]], ...] = (
    (templates.parse, templates.TemplateError),
    (patterns.value_pattern, patterns.PatternError),
    (patterns.path_pattern, patterns.PatternError),
)
_WORDS = tuple(
    text.encode() for text in ("{", "}", "{{", "|", "{ID_SERIAL|sysname}", "{attr:", "{usb:serial}", "{pci:address}",
                               "*", "**", "**/", "?", "[", "]", "[a-z]", "[!x]", "[z-a]", "/", "//", "/./", "/../",
                               "::", "\u202e", "\u2066", "\x00", "\x1b[31m", "\u0130", "a" * 70)
)  # fmt: skip

TARGETS: dict[str, Target] = {
    "configuration": Target(_configurations, check_configuration, _TOML),
    "spec": Target(soak.seeds, soak.check),
    "toml": Target(lambda: [*_configurations(), *CORPUS.values()], check_toml, _TOML),
    "containerd": Target(lambda: list(CORPUS.values()), check_containerd, _TOML),
    "crio-podman": Target(
        lambda: [b'[crio.runtime]\ncdi_spec_dirs = [\n  "/etc/cdi", # ours\n]\n',
                 b'[engine]\ncdi_spec_dirs = ["/etc/cdi", {append=true}]\nruntime = "crun"\n'],
        check_listing,
        _TOML,
    ),
    "docker": Target(
        lambda: [b'{"features": {"cdi": false, "buildkit": true}, "cdi-spec-dirs": ["/etc/cdi"]}', b"{}",
                 b'{\n  "log-driver": "json-file",\n  "features": {},\n  "runtimes": {"x": {"path": "/x"}}\n}\n'],
        check_docker,
    ),
    **{
        f"import-{form}": Target(
            functools.partial(lambda form: [SAMPLES[form].encode()], form), functools.partial(check_imported, form)
        )
        for form in SAMPLES
    },
    "words": Target(lambda: [b"{ID_SERIAL_SHORT|ID_PATH|sysname}", b"/dev/dm-*", b"mpath-*"], check_words, _WORDS),
    "udev": Target(discovering.messages, discovering.check_message, discovering.FRAGMENTS),
    "sysfs": Target(discovering.facts, discovering.check_facts, discovering.FRAGMENTS),
    "mounts": Target(discovering.mounts, discovering.check_mounts, discovering.FRAGMENTS),
    "checkpoint": Target(kubelet.checkpoints, kubelet.check_checkpoint, kubelet.FRAGMENTS),
    "rpc-message": Target(kubelet.kubelet_messages, kubelet.check_message, kubelet.FRAGMENTS),
    "rpc-connection": Target(kubelet.connections, kubelet.check_connection, kubelet.FRAGMENTS),
    "rpc-answer": Target(kubelet.answers, kubelet.check_answer, kubelet.FRAGMENTS),
    "http": Target(own.requests, own.check_request, own.FRAGMENTS),
    "ledger": Target(own.ledgers, own.check_ledger, own.FRAGMENTS),
    "journal": Target(own.journals, own.check_journal, own.FRAGMENTS),
}  # fmt: skip

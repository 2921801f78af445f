"""CRI-O, Podman and Docker, and what containerd's planner says beyond the corpus."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtimes import containerd, docker, jsontext, listing, tomltext, undo
from agent.runtimes.answers import Answer, Source, Wish, lists
from agent.runtimes.listing import CRIO, PODMAN
from agent.runtimes.tomltext import EditError


def contents(answer: Answer) -> dict[str, str]:
    return {change.write.name: change.write.data.decode() for change in answer.changes}


def text_of(answer: Answer) -> str:
    return "\n".join(" ".join((row.what, row.now, row.will, row.why)) for row in answer.rows) + f"\n{answer.blocked}"


def test_run_and_var_run_are_one() -> None:
    assert lists(("/etc/cdi", "/run/cdi"), "/var/run/cdi/")
    assert not lists(("/etc/cdi",), "/run/cdi")


# CRI-O and Podman


@pytest.mark.parametrize(("layout", "version"), [(CRIO, (1, 30)), (PODMAN, (4, 3)), (PODMAN, (5, 6))])
def test_nothing_to_do(layout: listing.Layout, version: tuple[int, int]) -> None:
    answer = listing.plan(layout, version, [], Wish("/run/cdi"))
    assert (answer.changes, answer.blocked, answer.notes) == ((), None, ("nothing to do",))


@pytest.mark.parametrize(("layout", "version"), [(CRIO, (1, 22)), (PODMAN, (4, 0))])
def test_too_old(layout: listing.Layout, version: tuple[int, int]) -> None:
    answer = listing.plan(layout, version, [], Wish("/etc/cdi"))
    assert answer.changes == ()
    assert "has no CDI" in str(answer.blocked)


def test_podman_before_5_5_reads_the_standard_directories_alone() -> None:
    assert "reads only /etc/cdi and /var/run/cdi" in str(listing.plan(PODMAN, (4, 9), [], Wish("/x")).blocked)
    named = Source(PODMAN.main, b'[engine]\ncdi_spec_dirs = ["/x"]\n')
    assert listing.plan(PODMAN, (4, 9), [named], Wish("/x")).blocked is not None


def test_podman_5_5_may_read_etc_alone() -> None:
    answer = listing.plan(PODMAN, (5, 5), [], Wish("/run/cdi"))
    assert 'cdi_spec_dirs = ["/etc/cdi", "/run/cdi"]' in contents(answer)[PODMAN.drop_in]


@pytest.mark.parametrize(("layout", "version"), [(CRIO, (1, 30)), (PODMAN, (5, 6))])
def test_a_drop_in_extends_what_is_in_force(layout: listing.Layout, version: tuple[int, int]) -> None:
    table = ".".join(layout.key[:-1])
    main = Source(layout.main, f'# mine\n[{table}]\ncdi_spec_dirs = ["/a"] # a\n'.encode())
    answer = listing.plan(layout, version, [main], Wish("/x"))
    made = contents(answer)
    assert list(made) == [layout.drop_in]
    assert tomltext.lookup(tomltext.document(made[layout.drop_in]), layout.key) == ["/a", "/x"]
    ours = Source(layout.drop_in, made[layout.drop_in].encode())
    assert listing.plan(layout, version, [main, ours], Wish("/x")).notes == ("nothing to do",)
    in_place = listing.plan(layout, version, [main], Wish("/x", "in-place"))
    assert contents(in_place) == {layout.main: f'# mine\n[{table}]\ncdi_spec_dirs = ["/a", "/x"] # a\n'}


def test_a_later_file_is_edited_since_it_would_overrule_a_drop_in() -> None:
    last = Source(f"{CRIO.drop_ins}/zz.conf", b'[crio.runtime]\ncdi_spec_dirs = ["/z"]\n')
    answer = listing.plan(CRIO, (1, 30), [last], Wish("/x"))
    assert contents(answer) == {last.path: '[crio.runtime]\ncdi_spec_dirs = ["/z", "/x"]\n'}
    assert "overrule" in str(listing.plan(CRIO, (1, 30), [last], Wish("/x", "drop-in")).blocked)


def test_podmans_lists_may_append() -> None:
    main = Source(PODMAN.main, b'[engine]\ncdi_spec_dirs = ["/x", {append = true}]\n')
    assert listing.plan(PODMAN, (5, 6), [main], Wish("/x")).notes == ("nothing to do",)
    assert listing.plan(PODMAN, (5, 6), [main], Wish("/etc/cdi")).notes == ("nothing to do",)


def test_a_file_that_is_no_toml_is_left_alone() -> None:
    answer = listing.plan(CRIO, (1, 30), [Source(CRIO.main, b"[[[")], Wish("/x"))
    assert answer.changes == ()
    assert "is left alone" in str(answer.blocked)


# Docker

DAEMONS = {
    "nothing": ("", '{\n  "features": {\n    "cdi": true\n  }\n}\n'),
    "an object": ("{}", '{"features": {"cdi": true}}'),
    "others": ('{\n  "debug": true\n}\n', '{\n  "features": {"cdi": true},\n  "debug": true\n}\n'),
    "features": (
        '{"features":{"buildkit":true,"x":false},"a":[1,{"features":2}]}\n',
        '{"features":{"cdi": true, "buildkit":true,"x":false},"a":[1,{"features":2}]}\n',
    ),
    "off": ('{ "features" : { "cdi" : false } }', '{ "features" : { "cdi" : true } }'),
    "tabs and CRLF": (
        '{\r\n\t"features": {\r\n\t\t"a": true\r\n\t}\r\n}',
        '{\r\n\t"features": {\r\n\t\t"cdi": true,\r\n\t\t"a": true\r\n\t}\r\n}',
    ),
    "no features": ('{"features": {}}', '{"features": {"cdi": true}}'),
}


@pytest.mark.parametrize(("before", "after"), DAEMONS.values(), ids=DAEMONS)
def test_daemon_json(before: str, after: str) -> None:
    source = Source(docker.CONFIG, before.encode())
    answer = docker.plan((27, 0), docker.CONFIG, source, Wish("/etc/cdi"))
    assert contents(answer) == {docker.CONFIG: after}
    again = docker.plan((27, 0), docker.CONFIG, Source(docker.CONFIG, after.encode()), Wish("/etc/cdi"))
    assert (again.changes, again.notes) == ((), ("nothing to do",))
    change = answer.changes[0]
    others = after.rstrip().removesuffix("}") + (', "theirs": 1}' if '"' in after else "}")
    back, reasons = undo.undone(others.encode(), before.encode(), after.encode(), change.keys, jsontext)
    assert (reasons, json.loads(back or b"{}")) == ((), json.loads(before or "{}") | {"theirs": 1})


@pytest.mark.parametrize(
    ("text", "version", "words"),
    [
        ("{}", (24, 0), "has no CDI"),
        ('{"features": 1}', (27, 0), "no object"),
        ('{"features": {"cdi": true}, "features": {}}', (27, 0), "twice"),
        ("{,}", (27, 0), "not JSON"),
        ("[]", (27, 0), "no JSON object"),
    ],
)
def test_docker_is_left_alone(text: str, version: tuple[int, int], words: str) -> None:
    answer = docker.plan(version, docker.CONFIG, Source(docker.CONFIG, text.encode()), Wish("/etc/cdi"))
    assert answer.changes == ()
    assert words in str(answer.blocked)


def test_docker_needs_nothing_from_28_2_on() -> None:
    assert docker.plan((28, 2), docker.CONFIG, None, Wish("/etc/cdi")).notes == ("nothing to do",)
    off = Source(docker.CONFIG, b'{"features": {"cdi": false}}')
    assert contents(docker.plan((28, 2), docker.CONFIG, off, Wish("/etc/cdi")))
    answer = docker.plan((28, 2), docker.CONFIG, None, Wish("/x"))
    assert json.loads(contents(answer)[docker.CONFIG]) == {"cdi-spec-dirs": ["/etc/cdi", "/var/run/cdi", "/x"]}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["features", "a", "cdi"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["features", "b", 'q"', "cdi"]), _JSON), st.sampled_from([None, 1, 3, "\t"]))
def test_any_json_object_keeps_the_rest(document: dict[str, object], indent: int | str | None) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=bool(random.Random(len(document)).getrandbits(1)))
    try:
        after = jsontext.put(text, ("features", "cdi"), value=True).applied(text)
    except EditError:
        assert not isinstance(document.get("features", {}), dict)
        return
    features = document.setdefault("features", {})
    assert isinstance(features, dict)
    features["cdi"] = True
    assert json.loads(after) == document


# containerd


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/var/lib/rancher/k3s/agent/etc/containerd/config.toml", "config-v3.toml.tmpl"),
        ("/var/lib/rancher/rke2/agent/etc/containerd/config.toml", "config.toml.tmpl"),
        ("/run/k0s/containerd-cri.toml", "/etc/k0s/containerd.d"),
        ("/etc/microshift/x.toml", "setup crio"),
    ],
)
def test_what_others_write_anew_is_left_alone_with_their_own_way(path: str, advice: str) -> None:
    answer = containerd.plan((1, 7), path, [Source(path, b"version = 2\n")], Wish("/etc/cdi"))
    assert answer.changes == ()
    assert advice in str(answer.blocked)


def test_a_template_is_named_as_one() -> None:
    source = Source("/x/config.toml.tmpl", b'{{ template "base" . }}\n')
    assert "is a template" in str(containerd.plan((1, 7), source.path, [source], Wish("/etc/cdi")).blocked)


def test_a_drop_in_that_would_replace_the_table_is_refused() -> None:
    main = Source(containerd.CONFIG, b'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\nx = 1\n')
    answer = containerd.plan((1, 7), containerd.CONFIG, [main], Wish("/etc/cdi", "drop-in"))
    assert "would replace" in str(answer.blocked)
    alone = Source(containerd.CONFIG, b"version = 2\noom_score = 1\n")
    answer = containerd.plan((1, 7), containerd.CONFIG, [alone], Wish("/etc/cdi", "drop-in"))
    assert list(contents(answer)) == ["/etc/containerd/conf.d/99-cdi-sync.toml", containerd.CONFIG]


def test_the_drop_in_gives_way_where_a_later_import_overrules_it() -> None:
    table = b"version = 3\n[plugins.'io.containerd.cri.v1.runtime']\nenable_cdi = false\n"
    main = Source(containerd.CONFIG, b'version = 3\nimports = ["/etc/containerd/conf.d/*.toml"]\n')
    last = Source("/etc/containerd/conf.d/zz.toml", table)
    answer = containerd.plan((2, 1), containerd.CONFIG, [main, last], Wish("/etc/cdi"))
    assert list(contents(answer)) == ["/etc/containerd/conf.d/99-cdi-sync.toml"] or list(contents(answer)) == [
        last.path
    ]


def test_a_moved_spec_directory_extends_our_own_drop_in() -> None:
    main = Source(containerd.CONFIG, b"version = 3\n")
    first = containerd.plan((2, 1), containerd.CONFIG, [main], Wish("/one"))
    sources = [Source(name, text.encode()) for name, text in sorted(contents(first).items(), reverse=True)]
    sources.sort(key=lambda one: one.path != containerd.CONFIG)
    second = contents(containerd.plan((2, 1), containerd.CONFIG, sources, Wish("/two")))
    assert list(second) == ["/etc/containerd/conf.d/99-cdi-sync.toml"]
    assert '"/one", "/two"' in next(iter(second.values()))


def test_a_forgotten_version_is_noticed() -> None:
    main = Source(containerd.CONFIG, b'[plugins."io.containerd.grpc.v1.cri"]\nenable_cdi = true\n')
    answer = containerd.plan((1, 7), containerd.CONFIG, [main], Wish("/etc/cdi"))
    assert "has no effect" in answer.notes[0]
    assert "[plugins.cri]\n  enable_cdi = true" in contents(answer)[containerd.CONFIG]


@pytest.mark.parametrize("version", ["-1", "5", "1000", f"0x1{'9' * 4000}"])
def test_a_file_of_no_known_version_is_left_alone(version: str) -> None:
    source = Source(containerd.CONFIG, f"version = {version}\n".encode())
    answer = containerd.plan((2, 3), containerd.CONFIG, [source], Wish("/etc/cdi"))
    assert answer.changes == ()
    assert "reads no file of version" in str(answer.blocked)


def test_the_table_says_what_and_why() -> None:
    main = Source(containerd.CONFIG, b'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n')
    said = text_of(containerd.plan((1, 7), containerd.CONFIG, [main], Wish("/x")))
    for words in ("containerd 1.7", "version 2", "off by default", "edited in place", "/var/run/cdi, /x"):
        assert words in said

"""Specs, texts and their mutations, for tests of properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from cdi import validation, versions
from cdi.model import ContainerEdits, Device, DeviceNode, Hook, IntelRdt, Mount, NetDevice, Spec

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

_UINT32 = st.integers(0, 2**32 - 1)
_INT64 = st.integers(-(2**63), 2**63 - 1)

# Everything a file can hold: no halves of surrogate pairs.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_SOME_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def _texts(*, max_size: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(_TEXT, max_size=max_size).map(tuple)


def _several(items: st.SearchStrategy[object], *, max_size: int = 2) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(items, max_size=max_size).map(tuple)


_NODES = st.builds(
    DeviceNode,
    path=_TEXT,
    host_path=_TEXT,
    type=_TEXT,
    major=_INT64,
    minor=_INT64,
    file_mode=st.none() | _UINT32,
    permissions=_TEXT,
    uid=st.none() | _UINT32,
    gid=st.none() | _UINT32,
)
_HOOKS = st.builds(Hook, hook_name=_TEXT, path=_TEXT, args=_texts(), env=_texts(), timeout=st.none() | _INT64)
_MOUNTS = st.builds(Mount, host_path=_TEXT, container_path=_TEXT, options=_texts(), type=_TEXT)
_RDT = st.builds(
    IntelRdt,
    clos_id=_TEXT,
    l3_cache_schema=_TEXT,
    mem_bw_schema=_TEXT,
    # An empty list is not written, as the reference has it, and comes back as none.
    schemata=st.none() | st.lists(_TEXT, min_size=1, max_size=2).map(tuple),
    enable_monitoring=st.booleans(),
)
_EDITS = st.builds(
    ContainerEdits,
    env=_texts(),
    device_nodes=_several(_NODES),
    net_devices=_several(st.builds(NetDevice, host_interface_name=_TEXT, name=_TEXT)),
    hooks=_several(_HOOKS),
    mounts=_several(_MOUNTS),
    intel_rdt=st.none() | _RDT,
    additional_gids=_several(_UINT32),
)
_ANNOTATIONS = st.dictionaries(_TEXT, _TEXT, max_size=2)
_DEVICES = st.builds(Device, name=_TEXT, container_edits=_EDITS, annotations=_ANNOTATIONS)

# Anything that the types allow, sense or not.
SPECS = st.builds(
    Spec,
    version=_TEXT,
    kind=_TEXT,
    devices=_several(_DEVICES),
    container_edits=_EDITS,
    annotations=_ANNOTATIONS,
)

_VARIABLES = st.builds("{}={}".format, st.text("ABC", min_size=1, max_size=2), _TEXT)
_PATHS = st.sampled_from(["/dev/null", "/dev/zero", "/dev/full", "/a", "/a/b/c", "/a/b", "relative"])

_SOUND_EDITS = st.builds(
    ContainerEdits,
    env=st.lists(_VARIABLES, min_size=1, max_size=3).map(tuple),
    device_nodes=_several(
        st.builds(
            DeviceNode,
            path=_PATHS,
            type=st.just("c"),
            major=st.integers(1, 300),
            permissions=st.sampled_from(["", "r", "rw", "rwm", "none"]),
            uid=st.none() | _UINT32,
        )
    ),
    net_devices=_several(st.builds(NetDevice, host_interface_name=_SOME_TEXT, name=_SOME_TEXT), max_size=1),
    hooks=_several(st.builds(Hook, hook_name=st.sampled_from(validation.HOOK_NAMES), path=_PATHS, env=st.just(()))),
    mounts=_several(st.builds(Mount, host_path=_PATHS, container_path=_PATHS, options=_texts())),
    intel_rdt=st.none() | st.builds(IntelRdt, clos_id=st.just("guaranteed")),
    additional_gids=_several(_UINT32),
)

# What every runtime accepts.
SOUND_SPECS = st.builds(
    Spec,
    version=st.just(versions.CURRENT),
    kind=st.sampled_from(["acme.com/modem", "acme.com/gpu", "other.org/gpu"]),
    devices=st.lists(
        st.builds(Device, name=st.sampled_from(["a", "b", "0"]), container_edits=_SOUND_EDITS),
        min_size=1,
        unique_by=lambda device: device.name,
    ).map(tuple),
    container_edits=_SOUND_EDITS,
)

# What turns one text into another of the same look: the marks of YAML, odd scalars, odd characters.
_MARKS = "{ } [ ] , : - ? | > ' \" # & * ! % @ ` &a *a <<: !!str !!int !!binary !x --- ... [? {a} [a:b]"
_SCALARS = "null ~ true y 0x1F 0777 08 1e3 -0.0 .5 1_000 .inf 1e400 2001-01-01 18446744073709551615"
_ESCAPES = r"\/ \u0041 \ud83d\ude00 \n"
_CHARACTERS = "\x85\u2028\ufeff\xa0\x7f\x00\U0001f600\u017f"
FRAGMENTS = (
    *(text.encode() for text in (*_MARKS.split(), *_SCALARS.split(), *_ESCAPES.split(), *_CHARACTERS)),
    *(b"\n", b"\n  ", b"\n    ", b"\t", b" ", b": ", b"- ", b"? ", b" #", b"\r", b"\r\n", b"|\n", b"\\\n"),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80"),
)


def mutated(data: bytes, source: random.Random, fragments: Sequence[bytes] = FRAGMENTS) -> bytes:
    """Return the data after a few changes: something put in, cut out, moved or flipped."""
    text = bytearray(data)
    for _ in range(source.choice((1, 1, 2, 4))):
        start = source.randrange(len(text) + 1)
        end = min(len(text), start + source.randrange(12))
        match source.randrange(5):
            case 0:
                text[start:start] = source.choice(fragments)
            case 1:
                text[start:end] = source.choice(fragments)
            case 2:
                del text[start:end]
            case 3:
                to = source.randrange(len(text) + 1)
                text[to:to] = text[start:end]
            case _ if text:
                text[start % len(text)] = source.randrange(256)
    return bytes(text)

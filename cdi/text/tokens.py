"""Tokens: what the characters of a text fall into."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """The kinds of token."""

    __hash__ = object.__hash__  # an enumeration's own is slow, and there are millions

    STREAM_END = auto()
    VERSION = auto()
    TAG_HANDLE = auto()
    DOCUMENT_START = auto()
    DOCUMENT_END = auto()
    BLOCK_SEQUENCE_START = auto()
    BLOCK_MAPPING_START = auto()
    BLOCK_END = auto()
    FLOW_SEQUENCE_START = auto()
    FLOW_SEQUENCE_END = auto()
    FLOW_MAPPING_START = auto()
    FLOW_MAPPING_END = auto()
    BLOCK_ENTRY = auto()
    FLOW_ENTRY = auto()
    KEY = auto()
    VALUE = auto()
    ALIAS = auto()
    ANCHOR = auto()
    TAG = auto()
    PLAIN = auto()
    QUOTED = auto()


class Token(NamedTuple):
    """A token at a position; ``value`` and ``suffix`` are the text of a scalar, anchor, tag or directive."""

    kind: Kind
    position: int
    value: str = ""
    suffix: str = ""

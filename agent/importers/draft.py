"""What an importer hands on: classes to write, and remarks on what did not come along as it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.config.model import Class

PODS_A_NODE = 110  # what a kubelet runs unless told otherwise


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that is not here as it was there: a comment in the result and, if ``aloud``, a warning.

    ``place`` is where it stands in the file (``conf.yaml:3:5``), ``what`` the key, as one reads it.
    """

    place: str
    what: str
    fact: str
    advice: str = ""
    aloud: bool = True


@dataclass(frozen=True, slots=True)
class DraftClass:
    """One class to be written.

    ``resource`` is the peer's name of it for the kubelet, ``shares`` how many pods the peer let hold one device at
    once; ``place`` is where it stands in the peer's file.
    """

    entry: Class
    resource: str
    shares: int = 1
    place: str = ""
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole configuration to be written; ``remarks`` are those that concern no class, or one that is left out."""

    classes: tuple[DraftClass, ...] = ()
    remarks: tuple[Remark, ...] = field(default=())

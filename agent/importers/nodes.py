"""What is known of names below ``/dev`` without looking: directories, links, and which nodes share a device."""

from __future__ import annotations

import hashlib
import re

from agent.patterns import path_pattern
from cdi import names

# A runtime that is handed a directory hands on every node below it. Our globs take nodes, so these are spelt out.
_DIRECTORIES = frozenset({
    "block", "bus", "bus/usb", "char", "cpu", "crypto", "disk", "disk/by-id", "disk/by-path", "disk/by-uuid",
    "dma_heap", "dri", "dri/by-path", "dvb", "infiniband", "input", "input/by-id", "input/by-path", "mapper", "net",
    "serial", "serial/by-id", "serial/by-path", "snd", "snd/by-id", "snd/by-path", "usb", "v4l", "v4l/by-id",
    "v4l/by-path", "vfio",
})  # fmt: skip
_LINKS = re.compile(r"/dev/(?:block|char|disk|mapper|serial)/|/dev/.*/by-[a-z]+/")

# Here several nodes of one device, which share its serial number and have no links, are rare: the default name will do.
_TOLD_APART = (
    "/dev/tty", "/dev/rfcomm", "/dev/cu", "/dev/video", "/dev/sd", "/dev/vd", "/dev/nvme", "/dev/dm-", "/dev/mapper/",
    "/dev/disk/", "/dev/serial/", "/dev/v4l/",
)  # fmt: skip
_WORD = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 90  # characters of a vendor or class; two fit into a file name


def below_directories(glob: str) -> tuple[str, ...]:
    """Return a glob for the nodes in the directories that ``glob`` fits, as far as they are known."""
    pattern = path_pattern(glob)
    if glob.endswith("**") or not any(pattern.matches(f"/dev/{name}") for name in _DIRECTORIES):
        return ()
    return (f"{glob}/**",)


def is_directory(path: str) -> bool:
    """Tell whether a path is known to be a directory."""
    return path.removeprefix("/dev/") in _DIRECTORIES


def is_link_place(path: str) -> bool:
    """Tell whether what is at such paths, or matches such globs, is a link to a node and not the node."""
    return bool(_LINKS.match(path))


def are_told_apart(globs: tuple[str, ...]) -> bool:
    """Tell whether the default name tells apart the devices that these globs match."""
    return all(glob.startswith(_TOLD_APART) for glob in globs)


def kind(resource: str) -> str:
    """Return the CDI kind for a Kubernetes resource: the same, unless CDI's grammar or containerd forbids it."""
    domain, _, name = resource.partition("/")
    return f"{_part(domain)}/{_part(name)}"


def _part(text: str) -> str:
    if len(text) <= _LONGEST and names.vendor_problem(text) is None:
        return text
    cleaned = _WORD.sub("-", text).strip("-_.")
    if not cleaned[:1].isalpha() or len(cleaned) == 1:
        cleaned = f"x-{cleaned or 'x'}"
    if len(cleaned) > _LONGEST:
        cleaned = f"{cleaned[: _LONGEST - 13]}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:12]}"
    return cleaned


def constant(text: str) -> str:
    """Return the template that yields this text."""
    return text.replace("{", "{{").replace("}", "}}")

"""Runtimes where CDI is always on and one list of directories is all there is to set: CRI-O and Podman.

Both read a main file and then drop-ins in name order; a later list replaces an earlier one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.plan import Write
from agent.runtimes import tomltext
from agent.runtimes.answers import DEFAULT_SPEC_DIRS, Answer, FileChange, Row, lists
from agent.runtimes.editing import Draft
from agent.runtimes.tomltext import EditError
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.runtimes.answers import Source, Version, Wish


@dataclass(frozen=True, slots=True)
class Layout:
    """One such runtime: its key, its files, and since which versions it has CDI and the key.

    ``key_since`` is ``None`` where every version with CDI has the key.
    """

    name: str
    key: tuple[str, ...]
    main: str
    drop_ins: str
    since: Version
    key_since: Version | None = None
    narrow: tuple[Version, ...] = ()
    """Versions of which some builds read only ``/etc/cdi`` where nothing is said."""

    def standard(self, version: Version) -> tuple[str, ...]:
        """Return the directories that are read where no file names any."""
        return DEFAULT_SPEC_DIRS[:1] if version in self.narrow else DEFAULT_SPEC_DIRS

    @property
    def drop_in(self) -> str:
        """The path of the file that is ours."""
        return os.path.join(self.drop_ins, "99-cdi-sync.conf")


CRIO = Layout(
    "CRI-O", ("crio", "runtime", "cdi_spec_dirs"), "/etc/crio/crio.conf", "/etc/crio/crio.conf.d", since=(1, 23)
)
PODMAN = Layout(
    "Podman",
    ("engine", "cdi_spec_dirs"),
    "/etc/containers/containers.conf",
    "/etc/containers/containers.conf.d",
    since=(4, 1),
    key_since=(5, 5),
    narrow=((5, 4), (5, 5)),
)


def plan(layout: Layout, version: Version, sources: Sequence[Source], wish: Wish) -> Answer:
    """Return what makes the runtime read specs from ``wish.spec_dir``; ``sources`` are its files in loading order."""
    rows = [Row(layout.name, f"{version[0]}.{version[1]}")]
    if version < layout.since:
        fact = f"{layout.name} {version[0]}.{version[1]} has no CDI"
        hint = f"install {layout.since[0]}.{layout.since[1]} or newer; nothing was changed"
        return Answer((*rows, Row("CDI", "this version has none")), blocked=Problem("", fact, hint))
    rows.append(Row("CDI", "always on"))
    drafts: list[Draft] = []
    for source in sources:
        try:
            drafts.append(Draft(source.path, source.data))
        except EditError as error:
            problem = Problem(source.path, f"is left alone: {error}", "correct it, then run this again")
            return Answer(tuple(rows), blocked=problem)
    return _answer(layout, version, drafts, wish, rows)


def spec_dirs(layout: Layout, documents: Sequence[dict[str, Any]]) -> tuple[tuple[str, ...] | None, int]:
    """Return the directories in force, ``None`` where no file names any, and the index of the file that decides."""
    found: tuple[str, ...] | None = None
    decides = -1
    for index, document in enumerate(documents):
        value = tomltext.lookup(document, layout.key)
        if not isinstance(value, list):
            continue
        named = tuple(one for one in value if isinstance(one, str))
        appends = any(isinstance(one, dict) and one.get("append") is True for one in value)
        found, decides = ((found or DEFAULT_SPEC_DIRS) + named if appends else named), index
    return found, decides


def _answer(layout: Layout, version: Version, drafts: list[Draft], wish: Wish, rows: list[Row]) -> Answer:
    knows_key = layout.key_since is None or version >= layout.key_since
    found, decides = spec_dirs(layout, [one.document for one in drafts] if knows_key else [])
    present = layout.standard(version) if found is None else found
    origin = "by default" if decides < 0 else drafts[decides].path
    shown = f"{', '.join(present) or 'none'} ({origin})"
    if lists(present, wish.spec_dir):
        return Answer((*rows, Row("cdi_spec_dirs", shown)), notes=("nothing to do",))
    rows.append(Row("cdi_spec_dirs", shown, ", ".join((*present, wish.spec_dir)), "our specs are there"))
    if not knows_key:
        fact = f"{layout.name} {version[0]}.{version[1]} reads only {' and '.join(layout.standard(version))}"
        return Answer(
            tuple(rows), blocked=Problem("", fact, "let the agent write there: spec_dir in its configuration")
        )
    try:
        change = _change(layout, drafts, decides, [*present, wish.spec_dir], wish)
    except EditError as error:
        problem = Problem(layout.main, f"cannot be edited without loss: {error}", "add the directory by hand")
        return Answer(tuple(rows), blocked=problem)
    what = "made" if change.write.before is None else "edited in place"
    why = "a file of its own keeps the others as they are" if what == "made" else "it decides"
    rows.append(Row(change.write.name, "does not exist" if what == "made" else "is there", what, why))
    return Answer(tuple(rows), (change,))


def _change(layout: Layout, drafts: list[Draft], decides: int, wanted: list[str], wish: Wish) -> FileChange:
    ours = layout.drop_in
    late = decides >= 0 and drafts[decides].path != layout.main and drafts[decides].path >= ours
    if (wish.place == "in-place" or late) and wish.place != "drop-in" and decides >= 0:
        drafts[decides].append(layout.key, wanted[-1])
        return drafts[decides].change()
    if late:
        raise EditError(f"{drafts[decides].path} would overrule a drop-in")
    present = next((one for one in drafts if one.path == ours), None)
    if present is not None:
        present.put(layout.key, wanted)
        return present.change()
    undo = {"CRI-O": "crio"}.get(layout.name, "podman")
    draft = Draft(ours, f"# Made by cdi-sync; taken back by: cdi-sync setup {undo} --revert\n".encode())
    draft.put(layout.key, list(wanted))
    return FileChange(Write(ours, draft.text.encode()), tuple(draft.keys))

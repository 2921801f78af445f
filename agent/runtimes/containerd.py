"""containerd: which table of which file decides about CDI in which version, and what must change there.

Tried with 1.6.20, 1.7.24 and 2.1.9 (docs/containerd.md). Before 2.0, a later file that has the CRI table at all
replaces it whole, so an edit is made where the table in force stands; from 2.0 on files merge key by key, so that a
drop-in of two keys will do. A file of another version than the one that imports it loses tables or is fatal.
"""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.plan import Write
from agent.runtimes import tomltext
from agent.runtimes.answers import DEFAULT_SPEC_DIRS, Answer, FileChange, Row, Source, lists
from agent.runtimes.editing import Draft
from agent.runtimes.tomltext import EditError
from cdi.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.runtimes.answers import Version, Wish

CONFIG = "/etc/containerd/config.toml"
DROP_IN = "99-cdi-sync.toml"
MARK = b"# Made by cdi-sync; taken back by: cdi-sync setup containerd --revert\n"
Table = tuple[str, str]
_NO_VERSION = 1000  # a number in TOML may have more digits than Python would print
V1: Table = ("plugins", "cri")
V2: Table = ("plugins", "io.containerd.grpc.v1.cri")
V3: Table = ("plugins", "io.containerd.cri.v1.runtime")
_CRI = frozenset({"cri", V2[1], V3[1]})
_GENERATED = {
    "/rancher/": "k3s and RKE2 write this file anew at every start: put the table into the template beside it "
    '(config.toml.tmpl, from containerd 2.0 on config-v3.toml.tmpl) below the line {{ template "base" . }}, '
    "and restart the service",
    "/run/k0s/": "k0s writes this file anew at every start: put a file with the table into /etc/k0s/containerd.d, "
    "and restart the service",
    "/microshift/": "MicroShift brings CRI-O: use cdi-sync setup crio",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """What is in force: ``enabled`` is ``None`` where no file says so; each with the index of the file that decides."""

    enabled: bool | None
    enabled_in: int
    spec_dirs: tuple[str, ...] | None
    spec_dirs_in: int
    table_in: int


def plan(version: Version, main: str, sources: Sequence[Source], wish: Wish) -> Answer:
    """Return what switches CDI on.

    ``version`` is containerd's, ``main`` the path of its configuration file, ``sources`` the files that it loads, in
    order: the main one first, nothing where that does not exist.
    """
    rows = [Row("containerd", f"{version[0]}.{version[1]}")]
    if advice := _layout_advice(main):
        return _blocked(rows, Problem(main, "is written by the system around containerd", advice))
    if version < (1, 7):
        rows.append(Row("CDI", "this version has none"))
        fact = f"containerd {version[0]}.{version[1]} has no CDI: it starts containers silently without their devices"
        return _blocked(rows, Problem("", fact, "install containerd 1.7 or newer; nothing was changed"))
    drafts: list[Draft] = []
    for source in sources:
        try:
            drafts.append(Draft(source.path, source.data))
        except EditError as error:
            return _blocked(rows, _not_understood(source, str(error)))
    rows += _rows_of_files(main, drafts)
    if problem := _unusable(version, drafts):
        return _blocked(rows, problem)
    return _Planner(version, main, drafts, wish, rows).answer()


def imports(document: dict[str, Any]) -> tuple[str, ...]:
    """Return what a file imports: paths and globs."""
    found = document.get("imports", [])
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def file_version(document: dict[str, Any]) -> int:
    """Return the version of a file's form; 0 where it says none, -1 where what it says is none."""
    found = document.get("version", 0)
    return found if type(found) is int and 0 <= found < _NO_VERSION else -1


def seen(dump: str) -> tuple[bool | None, tuple[str, ...]]:
    """Return what ``containerd config dump`` says of CDI; raises `EditError` where that is not TOML."""
    document = tomltext.document(dump)
    for table in (V3, V2):
        found = tomltext.lookup(document, table)
        if isinstance(found, dict) and "enable_cdi" in found:
            return found["enable_cdi"] is True, tuple(found.get("cdi_spec_dirs") or ())
    return None, ()


def others(dump: str) -> dict[str, Any]:
    """Return a dump without the keys that are ours to change, to compare all the rest."""
    document = tomltext.document(dump)
    for key in ("imports", "version"):
        document.pop(key, None)
    for table in (V1, V2, V3):
        found = tomltext.lookup(document, table)
        for key in ("enable_cdi", "cdi_spec_dirs"):
            if isinstance(found, dict):
                found.pop(key, None)
    return document


def _layout_advice(main: str) -> str | None:
    return next((advice for mark, advice in _GENERATED.items() if mark in main), None)


def _blocked(rows: Iterable[Row], problem: Problem) -> Answer:
    return Answer(tuple(rows), blocked=problem)


def _not_understood(source: Source, fact: str) -> Problem:
    if b"{{" in source.data:
        return Problem(source.path, "is a template, not TOML",
                       "add enable_cdi = true to the CRI table in it by hand, and restart what renders it")  # fmt: skip
    return Problem(source.path, f"is left alone: {fact}", "correct it; containerd cannot read it either")


def _rows_of_files(main: str, drafts: Sequence[Draft]) -> list[Row]:
    if not drafts:
        return [Row("configuration", f"{main} (does not exist)")]
    first = drafts[0]
    version = file_version(first.document)
    rows = [Row("configuration", f"{main} (version {version or 'not said'})")]
    if given := imports(first.document):
        rows.append(Row("imports", ", ".join(given) + ("" if len(drafts) > 1 else " (nothing there)")))
    return rows


def _unusable(version: Version, drafts: Sequence[Draft]) -> Problem | None:
    newest = 2 if version < (2, 0) else 3 if version < (2, 3) else 4
    for draft in drafts:
        found = file_version(draft.document)
        if not 0 <= found <= newest:
            return Problem(draft.path, f"containerd {version[0]}.{version[1]} reads no file of version {found}",
                           f"write it in version {newest}; nothing was changed")  # fmt: skip
        disabled = draft.document.get("disabled_plugins", [])
        for name in disabled if isinstance(disabled, list) else ():
            if name in _CRI:
                return Problem(draft.path, f"disabled_plugins has {name!r}, which makes every CRI setting moot",
                               "take it out of the list if the kubelet uses this containerd, then run this again; "
                               "for Docker use cdi-sync setup docker")  # fmt: skip
    return None


def tables(version: Version, of_file: int) -> tuple[Table, ...]:
    """Return the tables that count in a file of that version, the one to write to first."""
    if version < (2, 0):
        return (V2,) if of_file == 2 else (V1,)
    if of_file == 2:
        return (V2, V3)
    return (V3,) if version < (2, 3) else (V3, V2)


def effect(version: Version, documents: Sequence[dict[str, Any]]) -> Effect:
    """Return what is in force when these documents are loaded in this order."""
    enabled: bool | None = None
    spec_dirs: tuple[str, ...] | None = None
    enabled_in = spec_dirs_in = table_in = -1
    for index, document in enumerate(documents):
        for table in tables(version, file_version(document)):
            found = tomltext.lookup(document, table)
            if not isinstance(found, dict):
                continue
            if version < (2, 0):
                enabled, spec_dirs, enabled_in, spec_dirs_in = None, None, -1, -1
            table_in = index
            if "enable_cdi" in found:
                enabled, enabled_in = found["enable_cdi"] is True, index
            if isinstance(found.get("cdi_spec_dirs"), list):
                spec_dirs, spec_dirs_in = tuple(map(str, found["cdi_spec_dirs"])), index
    return Effect(enabled, enabled_in, spec_dirs, spec_dirs_in, table_in)


class _Planner:
    """Decides for one containerd whose files can be used."""

    def __init__(self, version: Version, main: str, drafts: list[Draft], wish: Wish, rows: list[Row]) -> None:
        self.version, self.main, self.drafts, self.wish, self.rows = version, main, drafts, wish, rows
        self.now = effect(version, [draft.document for draft in drafts])
        self.default_on = version >= (2, 0)
        self.on = self.default_on if self.now.enabled is None else self.now.enabled
        present = DEFAULT_SPEC_DIRS if self.now.spec_dirs is None else self.now.spec_dirs
        self.dirs_lack = not lists(present, wish.spec_dir)
        self.wanted_dirs = [*present, wish.spec_dir] if self.dirs_lack else list(present)

    def answer(self) -> Answer:
        if self.now.enabled is False and not self.wish.overrule:
            path = self.drafts[self.now.enabled_in].path
            self.rows.append(Row("enable_cdi", "false, on purpose"))
            fact = "switches CDI off on purpose (enable_cdi = false), which is left so"
            return _blocked(self.rows, Problem(path, fact, "change it there, or run cdi-sync setup containerd"))
        self._rows_of_keys()
        if self.on and not self.dirs_lack:
            return Answer(tuple(self.rows), notes=(*self._notes(), "nothing to do"))
        try:
            changes = self._changes()
        except EditError as error:
            fact = f"cannot be edited without loss: {error}"
            hint = "set enable_cdi = true in the CRI table by hand; nothing was changed"
            return _blocked(self.rows, Problem(self.main, fact, hint))
        if isinstance(changes, Problem):
            return _blocked(self.rows, changes)
        return Answer(tuple(self.rows), changes, self._notes())

    def _notes(self) -> tuple[str, ...]:
        """Say which tables their authors may believe to have an effect."""
        return tuple(
            f"{draft.path}: the table [{tomltext.spelled(V2)}] has no effect, since the file does not say version = 2"
            for draft in self.drafts
            if file_version(draft.document) < 2 and isinstance(tomltext.lookup(draft.document, V2), dict)
            if self.version < (2, 3)
        )

    def _rows_of_keys(self) -> None:
        now = self.now
        origin = self._origin(now.enabled_in, "on by default" if self.default_on else "off by default")
        said = "" if now.enabled is None else f"{str(now.enabled).lower()} "
        will, why = ("", "") if self.on else ("true", "containers get no CDI device without it")
        self.rows.append(Row("enable_cdi", f"{said}({origin})", will, why))
        dirs = DEFAULT_SPEC_DIRS if now.spec_dirs is None else now.spec_dirs
        will, why = (", ".join(self.wanted_dirs), "our specs are there") if self.dirs_lack else ("", "")
        text = f"{', '.join(dirs) or 'none'} ({self._origin(now.spec_dirs_in, 'by default')})"
        self.rows.append(Row("cdi_spec_dirs", text, will, why))

    def _origin(self, index: int, otherwise: str) -> str:
        return otherwise if index < 0 else self.drafts[index].path

    def _changes(self) -> tuple[FileChange, ...] | Problem:
        if not self.drafts or not self.drafts[0].document:
            return self._new()
        wants = self.wish.place
        if wants == "drop-in" or (wants == "auto" and self.version >= (2, 0)):
            changes = self._drop_in()
            if changes is not None:
                return changes
            if wants == "drop-in":
                return Problem(self.main, "a drop-in would replace or not reach the settings that are there",
                               "leave --drop-in out: the file itself is then edited")  # fmt: skip
        return self._in_place()

    def _new(self) -> tuple[FileChange, ...]:
        """Make a file from nothing, or of one that holds nothing."""
        of_file = 2 if self.version < (2, 0) else 3
        draft = self.drafts[0] if self.drafts else Draft(self.main, b"")
        draft.put(("version",), of_file)
        self._put_keys(draft, tables(self.version, of_file)[0])
        self.rows.append(Row(draft.path, "empty" if self.drafts else "does not exist", f"made, version {of_file}",
                             "the installed containerd reads it"))  # fmt: skip
        change = draft.change()
        if self.drafts:
            return (change,)
        return (FileChange(Write(self.main, change.write.data), change.keys),)

    def _in_place(self) -> tuple[FileChange, ...]:
        draft = self.drafts[max(0, self.now.table_in if self.version < (2, 0) else self._deciding())]
        of_file = file_version(draft.document)
        choice = tables(self.version, of_file)
        table = next((one for one in choice if isinstance(tomltext.lookup(draft.document, one), dict)), choice[0])
        self._put_keys(draft, table)
        if not self._reached([one.document for one in self.drafts]):
            raise EditError("another file would still overrule it")
        why = "a drop-in would replace the whole CRI table" if self.version < (2, 0) else "it decides"
        self.rows.append(Row(draft.path, f"version {of_file or 'not said'}", "edited in place", why))
        return (draft.change(),)

    def _deciding(self) -> int:
        return max(self.now.enabled_in if not self.on else -1, self.now.spec_dirs_in if self.dirs_lack else -1)

    def _put_keys(self, draft: Draft, table: Table) -> None:
        if not self.on:
            draft.put((*table, "enable_cdi"), value=True)
        if not self.dirs_lack:
            return
        key = (*table, "cdi_spec_dirs")
        if isinstance(tomltext.lookup(draft.document, key), list):
            draft.append(key, self.wish.spec_dir)
        else:
            draft.put(key, self.wanted_dirs)

    def _reached(self, documents: Sequence[dict[str, Any]]) -> bool:
        then = effect(self.version, documents)
        on = self.default_on if then.enabled is None else then.enabled
        return on and lists(DEFAULT_SPEC_DIRS if then.spec_dirs is None else then.spec_dirs, self.wish.spec_dir)

    def _drop_in(self) -> tuple[FileChange, ...] | None:
        """Put the keys into a file of ours that loads last; ``None`` where that would not do."""
        main = self.drafts[0]
        of_file = file_version(main.document)
        if of_file < 2 or (self.version < (2, 0) and self.now.table_in >= 0):
            return None
        path, imported = self._place_of_drop_in(main)
        present = next((one for one in self.drafts if one.path == path), None)
        if present is not None:
            return None  # it is loaded already, and so will be edited in place where it decides
        table = tables(self.version, of_file)[0]
        ours = Draft(path, MARK + f"version = {of_file}\n".encode())
        self._put_keys_of_drop_in(ours, table)
        if not self._reached([*(one.document for one in self.drafts), ours.document]):
            return None
        changes = [FileChange(Write(path, ours.text.encode()), tuple(ours.keys))]
        self.rows.append(Row(path, "does not exist", "made", "a file of its own keeps the others as they are"))
        if not imported:
            self._import(main, os.path.join(os.path.dirname(path), f"*{DROP_IN[2:]}"))
            changes.append(main.change())
        return tuple(changes)

    def _put_keys_of_drop_in(self, ours: Draft, table: Table) -> None:
        if not self.on:
            ours.put((*table, "enable_cdi"), value=True)
        if self.dirs_lack:
            ours.put((*table, "cdi_spec_dirs"), self.wanted_dirs)

    def _place_of_drop_in(self, main: Draft) -> tuple[str, bool]:
        """Return the path for our file, and whether an import that is there already takes it up."""
        base = os.path.dirname(self.main)
        for pattern in imports(main.document):
            whole = os.path.normpath(os.path.join(base, pattern))
            path = os.path.join(os.path.dirname(whole), DROP_IN)
            if fnmatch.fnmatchcase(path, whole) and any(mark in whole for mark in "*?["):
                return path, True
        return os.path.join(base, "conf.d", DROP_IN), False

    def _import(self, main: Draft, pattern: str) -> None:
        """Import our file alone, by a glob, which unlike a name is not fatal when the file is gone."""
        if isinstance(main.document.get("imports"), list):
            main.append(("imports",), pattern)
        else:
            main.put(("imports",), [pattern])
        now = ", ".join(imports(main.document)[:-1]) or "none"
        self.rows.append(Row("imports", now, f"and {pattern}", "so that containerd reads that file"))

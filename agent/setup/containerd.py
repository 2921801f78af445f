"""containerd on this machine: its binary and version, its process, its files and what they import."""

from __future__ import annotations

import dataclasses
import fnmatch
import os
from typing import TYPE_CHECKING

from agent.runtimes import containerd, tomltext
from agent.runtimes.answers import Row, Source
from agent.runtimes.tomltext import EditError
from agent.setup import cri, files, programs
from agent.setup.files import FileError
from agent.setup.programs import Process, ProgramError
from agent.setup.targets import Options, Seen, Target, read, version_of
from cdi.errors import Problem

if TYPE_CHECKING:
    from agent.runtimes.answers import Answer, Version, Wish

SOCKET = "/run/containerd/containerd.sock"
_MOST_FILES = 200


def target(options: Options) -> Target:
    """Find containerd; raises `SetupError` where its version cannot be told."""
    process = None if options.root else _process(options.runtime_config)
    main = _main(options, process)
    binary = _binary(process) if not options.root else None
    version = version_of(options, binary, "containerd")
    found = _Containerd(main, options.root, version, binary, process)
    rows = [Row("binary", binary or "not asked")]
    if not options.root:
        rows.append(Row("daemon", f"running (process {process.pid})" if process else "not running"))
    return Target(
        plan=found.plan,
        unit="containerd",
        rows=tuple(rows),
        view=found.view,
        ask=found.ask if not options.root else None,
        running=process is not None,
    )


def loaded(options: Options) -> list[str]:
    """Return the files that decide: the main one, there or not, and what it imports, the directories of globs too."""
    process = _process(options.runtime_config)
    main = _main(options, process)
    found = _Containerd(main, None, (0, 0), None, process)
    sources = found.sources()
    patterns = [pattern for source in sources for pattern in found.patterns(source.path, source.data)]
    return list(dict.fromkeys([main, *(source.path for source in sources), *patterns]))


def _main(options: Options, process: Process | None) -> str:
    return options.runtime_config or (process and process.option("--config", "-c")) or containerd.CONFIG


def _process(config: str | None) -> Process | None:
    """Return the daemon that uses a configuration; without one, the daemon of the standard one or the only one."""
    found = list(programs.processes("containerd"))
    if config:
        wanted = os.path.realpath(config)
        return next((one for one in found if os.path.realpath(_config_of(one)) == wanted), None)
    standard = [one for one in found if _config_of(one) == containerd.CONFIG]
    return standard[0] if standard else found[0] if len(found) == 1 else None


def _config_of(process: Process) -> str:
    return process.option("--config", "-c") or containerd.CONFIG


def _binary(process: Process | None) -> str | None:
    if process and os.access(process.executable, os.X_OK):
        return process.executable
    return programs.find("containerd")


@dataclasses.dataclass(frozen=True, slots=True)
class _Containerd:
    main: str
    root: str | None
    version: Version
    binary: str | None
    process: Process | None

    def plan(self, wish: Wish) -> Answer:
        answer = containerd.plan(self.version, self.main, self.sources(), wish)
        changes = []
        for change in answer.changes:
            lying = read(change.write.name, self.root) if change.write.before is None else None
            if lying is None:
                changes.append(change)
            elif not lying.startswith(containerd.MARK):
                problem = Problem(change.write.name, "is there already, not imported and not ours", "move it away")
                return dataclasses.replace(answer, changes=(), blocked=problem)
            elif lying != change.write.data:  # ours, of a run that was killed
                changes.append(dataclasses.replace(change, write=dataclasses.replace(change.write, before=lying)))
        return dataclasses.replace(answer, changes=tuple(changes))

    def sources(self) -> list[Source]:
        """Return the files that containerd loads, in order: a file's imports come after all that was named before."""
        waiting, loaded = [self.main], list[Source]()
        while waiting:
            path = waiting.pop(0)
            if any(one.path == path for one in loaded):
                continue
            data = read(path, self.root)
            if data is None:
                if path == self.main:
                    return []
                raise FileError(Problem(path, "is imported and does not exist, which is fatal to containerd",
                                        "make it, or take it out of imports"))  # fmt: skip
            loaded.append(Source(path, data))
            waiting += self._imports(path, data)
            if len(loaded) > _MOST_FILES:
                raise FileError(Problem(self.main, f"imports more than {_MOST_FILES} files", "see to its imports"))
        return loaded

    def _imports(self, path: str, data: bytes) -> list[str]:
        found: list[str] = []
        for whole in self.patterns(path, data):
            found += self._glob(whole) if any(mark in whole for mark in "*?[") else [whole]
        return found

    def patterns(self, path: str, data: bytes) -> list[str]:
        """Return the paths and globs that a file imports, as paths from the root."""
        try:
            given = containerd.imports(tomltext.document(data.decode("utf-8")))
        except (EditError, UnicodeDecodeError):
            return []  # the planner says so
        if any("\0" in one for one in given):
            raise FileError(Problem(path, "imports a path with a NUL character", "take it out of imports; "
                                    "containerd finds no such file either"))  # fmt: skip
        return [os.path.normpath(os.path.join(os.path.dirname(path), one)) for one in given]

    def _glob(self, pattern: str) -> list[str]:
        directory, last = os.path.split(pattern)
        try:
            names = os.listdir(files.real(directory, self.root))
        except OSError:
            return []
        return [os.path.join(directory, name) for name in sorted(names) if fnmatch.fnmatchcase(name, last)]

    def view(self) -> Seen | None:
        """Return what the binary makes of the files; ``None`` where it cannot be asked or there is no file."""
        if self.binary is None or self.root or programs.installed_version(self.binary) != self.version:
            return None
        if not os.path.exists(self.main):
            return None
        dump = programs.run([self.binary, "--config", self.main, "config", "dump"])
        try:
            enabled, spec_dirs = containerd.seen(dump)
            return Seen(enabled is True, spec_dirs, containerd.others(dump))
        except EditError as error:
            raise ProgramError(f"{self.binary} config dump: {error}") from None

    def ask(self) -> Seen:
        """Return what the running daemon has in force; raises `NoAnswerError`."""
        found = cri.config(self._socket())
        directories = found.get("cdiSpecDirs")
        named = tuple(map(str, directories)) if isinstance(directories, list) else ()
        return Seen(found.get("enableCDI") is True, named)

    def _socket(self) -> str:
        given = self.process and self.process.option("--address", "-a")
        if given:
            return given
        for source in self.sources():
            try:
                address = tomltext.lookup(tomltext.document(source.data.decode("utf-8")), ("grpc", "address"))
            except (EditError, UnicodeDecodeError):
                continue
            if isinstance(address, str) and address:
                return address
        return SOCKET

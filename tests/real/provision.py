"""`python -m tests.real.provision`: fetch what the real tests need; milliseconds when it is there.

Debian packages of several suites are unpacked into a cache below the repository, or `$CDI_SYNC_TEST_CACHE`,
each part into a directory of its own; nothing is installed. apt downloads them from the archive that this
machine's apt is already configured for, into a private apt root, and verifies them with Debian's keys. From the same
archive debootstrap makes the Debian that tests boot; pip fetches the Python packages for it, as it is configured here.

Where that cannot be (no root, no Debian, no network) it says so in one line and ends with 0; with CI=true,
with 1.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.real import parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_KEYRINGS = Path("usr/share/keyrings")
_SUITES = ("bookworm", "trixie", "sid")


class ProvisionError(Exception):
    """Why parts cannot be fetched, in one sentence."""


def main() -> int:
    """Fetch what is missing, say what still is, and return the exit code."""
    names = (*parts.MACHINE, *parts.FETCHED)
    if not_root := parts.missing("root"):
        absent = dict.fromkeys(names, not_root)
    else:
        if not all(map(parts.complete, parts.FETCHED)):
            _fetch_missing()
        absent = {name: reason for name in names if (reason := parts.missing(name))}
    if not absent:
        return 0
    sys.stderr.write(f"*** REAL PARTS MISSING, tests that need them will not run: {parts.in_words(absent)}\n")
    return 1 if os.environ.get("CI") == "true" else 0


def _fetch_missing() -> None:
    """Fetch all parts that are missing, and record the reasons of those that still are."""
    parts.cache().mkdir(parents=True, exist_ok=True)
    with _lock():
        wanted = [name for name in parts.FETCHED if not parts.complete(name)]
        try:
            reasons = _fetch(wanted)
        except ProvisionError as error:
            reasons = dict.fromkeys(wanted, str(error))
        parts.record(reasons)


@contextmanager
def _lock() -> Iterator[None]:
    with (parts.cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(wanted: Iterable[str]) -> dict[str, str]:
    started = time.monotonic()
    apt = Apt(parts.cache() / "apt")
    archive = apt.open()
    reasons = {}
    for name in wanted:
        part = parts.FETCHED[name]
        try:
            with _new_directory(parts.cache() / name) as directory:
                match part:
                    case parts.Unpacked():
                        apt.unpack(part.suite, part.packages, directory)
                    case parts.Bootstrapped():
                        apt.bootstrap(archive, part, directory)
                    case parts.Installed():
                        _install(part, directory)
                (directory / ".recipe").write_text(part.recipe)
        except (ProvisionError, parts.MissingPartError) as error:
            reasons[name] = str(error)
        else:
            sys.stderr.write(f"real part {name} fetched after {time.monotonic() - started:.1f} s\n")
    if not reasons:
        apt.discard()
    return reasons


def _install(part: parts.Installed, directory: Path) -> None:
    """Install Python packages into a directory; raises `ProvisionError`."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, f"--target={directory}", f"--python-version={part.python}", "--only-binary=:all:", *part.requirements])


@contextmanager
def _new_directory(place: Path) -> Iterator[Path]:
    """A directory that takes its place, and that of one before it, only when the block ends well."""
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as temporary:
        directory = Path(temporary, "new")
        directory.mkdir()
        yield directory
        shutil.rmtree(place, ignore_errors=True)
        directory.rename(place)


@dataclass(frozen=True, slots=True)
class Apt:
    """An apt root of its own, which knows Debian's suites and nothing of what is installed."""

    top: Path

    def open(self) -> str:
        """Fetch the lists of packages, and return the archive's address.

        Raises:
            ProvisionError: no archive, no network, or no signature that our keys verify.
        """
        for path in ("lists/partial", "cache/archives/partial"):
            (self.top / path).mkdir(parents=True, exist_ok=True)
        (self.top / "status").touch()
        archive = self._first_archive()
        # An older Debian's keys do not verify the newer suites. Its own suite, which they do verify, has the
        # package with all keys.
        with _new_directory(self.top / "keys") as directory:
            self.unpack(_SUITES[0], ["debian-archive-keyring"], directory)
        self._update(archive, _SUITES, self.top / "keys")
        return archive

    def unpack(self, suite: str, packages: Iterable[str], directory: Path) -> None:
        """Unpack the newest packages of a suite into a directory.

        Raises:
            ProvisionError: one could not be had.
        """
        with tempfile.TemporaryDirectory(dir=self.top) as downloads:
            self._apt("download", *(f"{package}/{suite}" for package in packages), cwd=Path(downloads))
            for package in Path(downloads).glob("*.deb"):
                _run(["dpkg", "-x", str(package), str(directory)])

    def bootstrap(self, archive: str, part: parts.Bootstrapped, directory: Path) -> None:
        """Make a Debian.

        Raises:
            ProvisionError: some of it could not be had.
            MissingPartError: there is no debootstrap.
        """
        command = [
            *("unshare", "--mount"),  # what it mounts is gone with it
            *("sh", str(parts.program("debootstrap", "debootstrap"))),
            *("--variant=minbase", f"--include={','.join(part.packages)}", f"--keyring={_keyring(self.top / 'keys')}"),
            *(part.suite, str(directory), archive),
        ]
        shared = str(parts.tree("debootstrap") / "usr/share/debootstrap")
        _run(command, env={**parts.environment("debootstrap"), "DEBOOTSTRAP_DIR": shared})
        for waste in ("var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(directory / waste)
        (directory / "etc/apt/sources.list").unlink()

    def discard(self) -> None:
        """Free the space; the lists would be stale next time."""
        shutil.rmtree(self.top)

    def _first_archive(self) -> str:
        """The first archive known to this machine that turns out to be Debian's."""
        fault = ProvisionError("apt knows no Debian archive here")
        for archive in _archives():
            try:
                self._update(archive, _SUITES[:1], Path("/"))
            except ProvisionError as error:
                fault = error
            else:
                return archive
        raise fault

    def _update(self, archive: str, suites: Iterable[str], keys: Path) -> None:
        sources = [
            f"Types: deb\nURIs: {archive}\nSuites: {suite}\nComponents: main\nSigned-By: {_keyring(keys)}\n"
            for suite in suites
        ]
        (self.top / "debian.sources").write_text("\n".join(sources))
        self._apt("update")

    def _apt(self, *arguments: str, cwd: Path | None = None) -> None:
        options = {
            "Dir::Etc::SourceList": self.top / "debian.sources",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": self.top,
            "Dir::State::Status": self.top / "status",
            "Dir::Cache": self.top / "cache",
            # Images of containers often switch these off, and every call then reads all lists anew.
            "Dir::Cache::PkgCache": "pkgcache.bin",
            "Dir::Cache::SrcPkgCache": "srcpkgcache.bin",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "APT::Update::Error-Mode": "any",
            # apt's own user could not write below a checkout that only root may enter.
            "APT::Sandbox::User": "root",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        _run(["apt-get", "--quiet=2", *words, *arguments], cwd=cwd)


def _archives() -> list[str]:
    """Addresses from which this machine's apt takes whole suites; what is known to be Debian's comes first."""
    # Origins are unknown before the machine's first `apt-get update`, so the second look is at bare sources.
    known = _targets("$(REPO_URI)", "ORIGIN: Debian", "COMPONENT: main")
    listed = _targets("$(REPO_URI) $(RELEASE)", "COMPONENT: main", "--no-release-info")
    # Security and update archives do not hold whole suites.
    whole = [line.split()[0] for line in listed if "-" not in line.split()[-1]]
    return list(dict.fromkeys([*(line for line in known if line in whole), *whole]))


def _targets(form: str, *filters: str) -> list[str]:
    command = ["apt-get", "indextargets", "--format", form, "IDENTIFIER: Packages", *filters]
    return _run(command).split("\n")[:-1]


def _keyring(top: Path) -> Path:
    for suffix in ("gpg", "pgp"):
        if (path := top / _KEYRINGS / f"debian-archive-keyring.{suffix}").exists():
            return path
    raise ProvisionError("Debian's archive keys are not installed (package debian-archive-keyring)")


def _run(command: list[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """The command's output.

    Raises:
        ProvisionError: with the command's name and the first line of its complaint.
    """
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=env)
    except FileNotFoundError:
        raise ProvisionError(f"no {command[0]}: not a Debian machine") from None
    if done.returncode:
        complaints = [line for line in done.stderr.splitlines() if line.startswith(("E:", "ERROR:"))]
        fact = (complaints or done.stderr.splitlines() or ["no message"])[0]
        raise ProvisionError(f"{command[0]} failed: {fact}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

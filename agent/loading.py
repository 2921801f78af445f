"""The configuration, loaded by a child process; and what tells that it has changed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import sys
from dataclasses import dataclass

from agent.config import places
from agent.config.settings import Settings
from agent.store import Signature
from cdi.errors import CDIError, Problem

_LOAD_LIMIT = 60.0  # seconds for the child that parses the configuration
_KILL_LIMIT = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; it outranks every configuration file, also later ones."""

    config: str | None = None
    spec_dir: str | None = None
    state_dir: str | None = None


def spare_threads() -> None:
    """Have the running loop wait for children by descriptors, as Python does from 3.12 on, not by a thread for each.

    To start a thread may fail where memory is short, or take forever.
    """
    if sys.version_info >= (3, 12):
        return
    with contextlib.suppress(OSError):  # a kernel without pidfd_open
        os.close(os.pidfd_open(os.getpid()))
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)


async def load(options: Options) -> Settings:
    """Load the settings in a child process, since what parses them is larger than this agent at rest.

    Raises:
        CDIError: they cannot be used.
    """
    arguments = [f"--{name}={value}" for name in ("config", "spec-dir", "state-dir")
                 if (value := getattr(options, name.replace("-", "_"))) is not None]  # fmt: skip
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "agent.config", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            process_group=0,  # what a terminal sends to us all is for us to heed
        )  # fmt: skip
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LoadError(Problem("configuration", f"cannot be read now: {reason}", "see to the limits of it")) from None
    answer = await _answer_of(child)
    if child.returncode != 0:
        problem = Problem("configuration", f"its parser ended with {child.returncode}", "see to the memory it may use")
        raise LoadError(problem)
    settings = pickle.loads(answer)  # noqa: S301 - our own child wrote it
    if isinstance(settings, Settings):
        return settings
    raise CDIError(*settings)


class LoadError(CDIError):
    """The configuration was not read, and nothing is known against it: another time it may be."""


async def _answer_of(child: asyncio.subprocess.Process) -> bytes:
    """Return what a child writes until it ends; it never outlives the wait for it."""
    try:
        async with asyncio.timeout(_LOAD_LIMIT):
            answer, _ = await child.communicate()
    except TimeoutError:
        raise LoadError(Problem("configuration", "takes too long to read", "see to its disk")) from None
    finally:
        if child.returncode is None:
            child.kill()
            with contextlib.suppress(TimeoutError):  # it may hang in a file system, where no signal reaches it
                async with asyncio.timeout(_KILL_LIMIT):
                    await child.wait()
    return answer


def signature(options: Options) -> tuple[object, ...]:
    """Return what changes when any configuration file does."""
    try:
        paths = places.paths(options.config)
    except OSError as error:
        return (error.errno,)
    return tuple((path, _of_file(path)) for path in paths)


def _of_file(path: str) -> object:
    """Return what changes with a file, and with who may write to its directory."""
    try:
        directory = os.stat(os.path.dirname(os.path.realpath(path)))
        return Signature.of(os.stat(path)), directory.st_mode, directory.st_uid
    except OSError as error:
        return error.errno

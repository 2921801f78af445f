"""Directories that are watched, also ones that come and go, through watchdog's reader of inotify."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask

from agent import room
from agent.config.places import links

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from watchdog.observers.inotify_c import InotifyEvent, WatchDescriptor

_log = logging.getLogger("cdi-sync")
_DESCRIPTORS = 3  # of a reader
_READ = 4096  # bytes of events taken from the kernel at a time: some hundred of them
_PATHS = 1000  # that changed and are remembered one by one
_ANYTHING = ""  # stands for changes that nobody remembers
_ITSELF = InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_DELETE_SELF
_NAMES = InotifyConstants.IN_CREATE | InotifyConstants.IN_DELETE | InotifyConstants.IN_MOVE
# In `/dev` every use of `/dev/null` would be one of these.
_CONTENT = InotifyConstants.IN_MODIFY | InotifyConstants.IN_ATTRIB | InotifyConstants.IN_CLOSE_WRITE
# Another path may lead to the same directory, and want other events of it.
_HOW = InotifyConstants.IN_MASK_ADD | InotifyConstants.IN_DONT_FOLLOW


@dataclass(frozen=True, slots=True)
class Interest:
    """What in a directory matters: a test of paths; ``content``: also what is inside its files; ``deep``: and below."""

    matters: Callable[[str], bool]
    content: bool = False
    deep: bool = False


class Directories:
    """Wakes on changes in directories."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """``wake`` is called in the thread of the loop that runs now."""
        log = logging.getLogger("watchdog")  # it warns of a queue that overflows, which we are told
        log.handlers, log.propagate = [logging.NullHandler()], False
        self._loop = asyncio.get_running_loop()
        self._wake = wake
        self._reader: _Reader | None = None
        self._interests: dict[str, list[Interest]] = {}
        self._watches: dict[str, _Watch] = {}
        self._stood: dict[str, tuple[int, int] | None] = {}
        self._refused: set[str] = set()
        self._again = False  # whether `watch` was called before
        self._changed: set[str] = set()
        self._considering = False  # whether the loop has been told to consider what changed
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Watch nothing any more."""
        if self._reader:
            self._reader.end()

    def watch(self, wanted: Iterable[tuple[str, Interest]]) -> None:
        """Watch these directories from now on, and no others; one may be of interest for several reasons.

        To be called before the first pass and after every one: a directory that was replaced is watched anew, and
        where one is missing its nearest ancestor is watched until it comes. So are the links on the way to it. From
        the second call on it wakes when a directory was not watched until now: what happened there since it was
        looked at, nobody has heard.
        """
        again, self._again = self._again, True
        self._interests = _interests(wanted)
        planned = self._planned()
        if not self._ready():
            return
        before, self._stood = self._stood, {path: watch.stands for path, watch in planned.items()}
        replaced = any(before.get(path, stands) != stands for path, stands in self._stood.items())
        begun = self._follow(planned)
        if again and (begun or replaced):
            self._wake()

    def _follow(self, watches: Mapping[str, _Watch]) -> bool:
        """Watch what is planned; returns whether anything of it was not watched until now."""
        begun = False
        for path in self._watches.keys() - watches.keys():
            self._drop(path)
        refused, self._refused = self._refused, set()
        for path, watch in watches.items():
            stays = path in self._watches and self._watches[path].lives_as(watch)
            if not stays:
                self._drop(path)
                begun |= self._add(path, watch, refused)
        return begun

    def replaced(self) -> bool:
        """Tell whether another directory stands where a watched one stood: a file system was mounted or unmounted.

        Of that the directories themselves say nothing.
        """
        return any(_identity(path) != stood for path, stood in self._stood.items())

    def _planned(self) -> dict[str, _Watch]:
        """Return what to watch by path: first the directories of interest, then those below deep ones.

        There may be too many of the latter for the kernel.
        """
        planned = {path: _Watch(path, self._happened, _events(here)) for path, here in self._interests.items()}
        for top, interests in self._interests.items():
            if any(one.deep for one in interests):
                for path in _below(top):
                    events = _events(interests) | _events(self._interests.get(path, ()))
                    planned[path] = _Watch(path, self._happened, events, top)
        return planned

    def _ready(self) -> bool:
        """Have a reader that lives; one that died was short of something, and all is watched anew."""
        if self._reader and self._reader.listens:
            return True
        if self._reader:
            self._reader.end()
            self._reader = None
        self._watches.clear()
        try:
            room.need_for_thread()
            room.need_for_descriptors(_DESCRIPTORS)  # else watchdog would leave some of them open
            self._reader = _Reader(lambda: self._happened(_ANYTHING))
            self._reader.start()
        except (OSError, RuntimeError) as error:
            self._refuse("/ and what is below it", error, self._refused)
            return False
        return True

    def _add(self, path: str, watch: _Watch, refused: set[str]) -> bool:
        if watch.stands is None or self._reader is None:
            return False
        try:
            watch.begin(self._reader)
        except OSError as error:
            if watch.interests and not isinstance(error, FileNotFoundError):
                self._refuse(watch.top, error, refused)
            return False
        self._watches[path] = watch
        return True

    def _drop(self, path: str) -> None:
        watch = self._watches.pop(path, None)
        if watch and self._reader:
            watch.end(self._reader)

    def _refuse(self, path: str, error: OSError | RuntimeError, refused: set[str]) -> None:
        """Say that a directory cannot be watched, unless that is known."""
        if path not in refused | self._refused:
            reason = room.lack(error)
            limit = "; raise fs.inotify.max_user_instances and max_user_watches" if "limit" in reason else ""
            _log.warning("%s cannot be watched: %s%s; changes there are seen at the next resync",
                         path, reason, limit)  # fmt: skip
        self._refused.add(path)

    def _happened(self, path: str) -> None:
        """Take a change from the reader's thread to the loop's; many at once, since each call fills its pipe."""
        with self._lock:
            self._changed.add(path if len(self._changed) < _PATHS else _ANYTHING)
            if not self._considering:
                with contextlib.suppress(RuntimeError):  # the loop has closed: we are stopping
                    self._loop.call_soon_threadsafe(self._consider)
                    self._considering = True

    def _consider(self) -> None:
        with self._lock:
            paths, self._changed, self._considering = self._changed, set(), False
        if _ANYTHING in paths or any(map(self._matters, paths)):
            self._wake()

    def _matters(self, path: str) -> bool:
        if path in self._interests:  # a watched directory itself came, went or moved
            return True
        directory = path
        while directory != "/":
            directory = os.path.dirname(directory)
            if any(interest.matters(path) for interest in self._interests.get(directory, ())):
                return True
        return False


class _Reader(InotifyFD):
    """Reads events in a thread of its own, few at a time.

    watchdog's observer would have one thread more for each directory, and queue a burst of events three times over:
    megabytes that the heap keeps.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        super().__init__()
        self.name = "inotify"
        self._ended = ended
        self._failed = False

    @property
    def listens(self) -> bool:
        """Whether it has begun and not ended."""
        return self.is_alive() and not self._failed

    def run(self) -> None:
        """Hand over events until the end; one that comes for want of something, as memory, is told."""
        try:
            with contextlib.suppress(OSError, MemoryError):
                while self.should_keep_running():
                    for event in self.read_events(event_buffer_size=_READ):
                        self.handle_event(event)
        finally:
            self._failed = True  # first: whoever is told may look before this thread has gone
            self._tell()

    def _tell(self) -> None:
        """Tell of an end that nobody asked for, as soon as there is the memory to do so."""
        while self.should_keep_running():
            try:
                self._ended()
            except MemoryError:
                time.sleep(0.1)
            else:
                return

    def end(self) -> None:
        """End the thread, if it lives, and close what it has open."""
        if not self.listens:
            self._is_reading = False  # so that nobody waits for it to close anything
        self.stop()
        if self.is_alive():
            self.join()


class _Watch:
    """A directory as it stood at its path, and what the reader calls for it until the kernel watches it no more."""

    def __init__(self, path: str, told: Callable[[str], None], events: int, top: str = "") -> None:
        """``told`` is given the paths that change; ``top``: the deep directory that this one is below."""
        self.top = top or path
        self.stands = _identity(path)
        self.interests = events != _ITSELF  # more than that it stays where it is
        self._path = path
        self._told = told
        self._events = events
        self._descriptor: WatchDescriptor | None = None
        self._forgotten = False  # by the kernel

    def lives_as(self, planned: _Watch) -> bool:
        """Tell whether this one does what is planned, so that it may stay."""
        lives = self._descriptor is not None and not self._forgotten
        return lives and (self.stands, self._events) == (planned.stands, planned._events)

    def begin(self, reader: _Reader) -> None:
        """Watch it; raises `OSError` where that cannot be done."""
        path, events = os.fsencode(self._path), Mask(self._events | _HOW)
        self._descriptor = reader.add_callback(path, events, self, CallbackId(id(self)))
        if self._descriptor < 0:  # so it is told that this is not allowed
            self.end(reader)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def end(self, reader: _Reader) -> None:
        """Watch it no more."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # the kernel knows it no more
                reader.remove_callbacks([(self._descriptor, CallbackId(id(self)))])

    def on_event(self, event: InotifyEvent) -> None:
        """Tell of a change. In the reader's thread, like all of these."""
        self._told(os.path.join(self._path, os.fsdecode(event.name)) if event.name else self._path)

    def on_watch_deleted(self, _descriptor: WatchDescriptor) -> None:
        """Be watched anew at the next look: another may stand there that looks the same, its inode used again."""
        self._forgotten = True
        self._told(_ANYTHING)

    def on_queue_overflow(self) -> None:
        """Tell that events were lost; that this directory is watched no more may have been one of them."""
        self._forgotten = True
        self._told(_ANYTHING)


def _interests(wanted: Iterable[tuple[str, Interest]]) -> dict[str, list[Interest]]:
    """Return the interests by directory: those that are wanted, and in what leads to them.

    Of what is further up it only matters whether it stays where it is: that is no interest.
    """
    found: dict[str, list[Interest]] = {}
    ways: set[str] = set()
    for directory, interest in wanted:
        real = os.path.realpath(directory)
        found.setdefault(real, []).append(interest)
        ways.update((directory, real, *links(directory)))
    for path in ways:
        parent = _nearest_existing(os.path.dirname(path))
        found.setdefault(os.path.realpath(parent), []).append(Interest(_leads_to(path, parent)))
    for directory in tuple(found):
        up = directory
        while up != "/":
            up = os.path.dirname(up)
            found.setdefault(up, [])
    return found


def _events(interests: Iterable[Interest]) -> int:
    """Return which events to ask the kernel for."""
    events = int(_ITSELF)
    for interest in interests:
        events |= _NAMES | _CONTENT if interest.content else _NAMES
    return events


def _nearest_existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _leads_to(path: str, parent: str) -> Callable[[str], bool]:
    """Accept the child of ``parent`` that leads to ``path``."""
    child = path[len(parent.rstrip("/")) + 1 :].partition("/")[0]
    return lambda changed: os.path.basename(changed) == child


def _below(top: str) -> Iterator[str]:
    """Yield every directory below one, however deep; links to others are not followed."""
    waiting = [top]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
            yield from below
            waiting += below


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino

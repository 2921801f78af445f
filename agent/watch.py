"""When to look again: udev, files, signals and a timer all end in one wake-up, which carries nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent import room
from agent.config.places import links
from agent.host import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Set

    from agent.discovery.udev import UdevDatabase

_log = logging.getLogger("cdi-sync")
_RECEIVE_BUFFER = 16 * 1024 * 1024  # bytes the kernel may queue of a burst of events; not allocated ahead
_AT_ONCE = 1000  # events taken before others of the loop get their turn
_BURST = 10  # how many times the quiet time a burst may keep us from looking


class Wake:
    """Decides when the next pass is due.

    The first event acts at once. In a burst, the next pass waits until nothing came for ``settle`` seconds, but
    no longer than ten times that.
    """

    def __init__(self, settle: float) -> None:
        self.settle = settle
        self._event = asyncio.Event()
        self._ended = asyncio.Event()
        self._latest = 0.0  # when something last happened
        self._looked = float("-inf")  # when the last pass ended

    def up(self) -> None:
        """Say that something happened, whatever it was. To be called in the event loop's thread."""
        self._latest = asyncio.get_running_loop().time()
        self._event.set()

    def end(self) -> None:
        """Say that there is no time left for a burst to end: what waits returns at once, now and ever after."""
        self._ended.set()
        self.up()

    def looked(self, *, too_early: bool = False) -> None:
        """Say that a pass has ended.

        ``too_early``: it saw devices that udev had yet to work on; what comes next is no afterthought of it, and
        acts at once.
        """
        self._looked = float("-inf") if too_early else asyncio.get_running_loop().time()

    async def due(self, patience: float) -> bool:
        """Wait until the next pass is due: after an event, or after ``patience`` seconds without any.

        On return everything that happened so far counts as seen: look now. Returns whether anything did happen.
        """
        try:
            async with asyncio.timeout(patience):
                await self._event.wait()
        except TimeoutError:
            return False
        if self._latest - self._looked < self.settle:
            await self._quiet()
        self._event.clear()
        return True

    async def _quiet(self) -> None:
        loop = asyncio.get_running_loop()
        limit = self._latest + _BURST * self.settle
        rest = self.settle
        while rest > 0 and not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._ended.wait()
            rest = min(self._latest + self.settle, limit) - loop.time()


class Uevents:
    """Wakes on events of devices that matter: udevd's, and the kernel's own where no udevd runs.

    A device matters when it has a node, or when ``nodeless`` accepts its subsystem. ``gone`` is told at once of nodes
    that the kernel has removed; a pass may have to wait for the end of a burst.
    """

    def __init__(
        self,
        udev: UdevDatabase,
        wake: Callable[[], None],
        nodeless: Callable[[str], bool],
        gone: Callable[[Iterable[str]], None] = lambda _nodes: None,
    ) -> None:
        import pyudev

        self._udev = udev
        self._wake = wake
        self._nodeless = nodeless
        self._gone = gone
        context = pyudev.Context()
        self._monitors = [pyudev.Monitor.from_netlink(context, source) for source in ("udev", "kernel")]

    def start(self) -> None:
        """Begin to listen. An event from now on wakes."""
        loop = asyncio.get_running_loop()
        for monitor, heed in zip(self._monitors, (self._heed_udev, self._heed_kernel), strict=True):
            with contextlib.suppress(OSError):  # without the privilege, the usual size must do
                monitor.set_receive_buffer_size(_RECEIVE_BUFFER)
            monitor.start()
            loop.add_reader(monitor.fileno(), self._drain, monitor, heed)

    def _drain(self, monitor: Any, heed: Callable[[Set[str]], bool]) -> None:
        """Take what has come, and keep nothing of it but the nodes that went: a burst shall not widen the heap."""
        removed: set[str] = set()
        matters = False
        try:
            for event in itertools.islice(iter(lambda: monitor.poll(timeout=0), None), _AT_ONCE):
                node = _node(event)
                if node or self._nodeless(event.subsystem or ""):
                    matters = True
                    if event.action == "remove":
                        removed.add(node)
            wakes = matters and heed(removed)
        except (OSError, ValueError, Unreadable):  # the queue overflowed, or this is no message: something happened
            wakes = True
        if wakes:
            self._wake()

    def _heed_udev(self, _removed: Set[str]) -> bool:
        return True

    def _heed_kernel(self, removed: Set[str]) -> bool:
        """Where udevd runs, its own event follows when it is done with the device; but what is gone is gone."""
        if removed:
            self._gone(filter(None, removed))
        return bool(removed) or not self._udev.fresh().running


def _node(event: Any) -> str:
    """Return the node of a device, empty without one. libudev's own answer aborts us for one that is not in /dev."""
    name: str = event.properties.get("DEVNAME", "")
    return name


class Mounts:
    """Wakes when something is mounted or unmounted that ``matters``; a container host mounts all day long."""

    def __init__(self, wake: Callable[[], None], matters: Callable[[], bool]) -> None:
        self._wake = wake
        self._matters = matters
        self._file: int | None = None

    def start(self) -> None:
        """Begin to heed mounts."""
        with contextlib.suppress(OSError):  # no /proc: then nothing is known of mounts at all
            self._file = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
            # The file always has something to read, and says by an error condition that it has changed. The event
            # loop hands such a condition to whoever waits for room to write, which there never is.
            asyncio.get_running_loop().add_writer(self._file, self._changed)

    def stop(self) -> None:
        """Heed them no more."""
        if self._file is not None:
            asyncio.get_running_loop().remove_writer(self._file)
            os.close(self._file)
            self._file = None

    def _changed(self) -> None:
        if self._matters():
            self._wake()


@dataclass(frozen=True, slots=True)
class Interest:
    """What in a directory matters: a test of paths; ``content``: also what is inside its files; ``deep``: and below."""

    matters: Callable[[str], bool]
    content: bool = False
    deep: bool = False


class Files:
    """Wakes on changes in directories, also in ones that come and go, through watchdog's inotify observer."""

    def __init__(self, wake: Callable[[], None]) -> None:
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

        # A rename in a watched directory would hold back the events behind it for half a second, in case its other
        # half comes. We do not care which halves belong together.
        InotifyMoveEventGrouper.delay = 0.0
        _heed_the_log_of_watchdog(self._lost)
        self._excepthook, threading.excepthook = threading.excepthook, self._bereft
        self._observer: Any = None
        self._dead = False  # whether a thread of the observer's has ended by a fault
        self._handler = FileSystemEventHandler()
        # Whatever happens is one thing to us; to tell kinds apart costs watchdog a new string for each event.
        setattr(self._handler, "dispatch", self._happened)  # noqa: B010 - as a subclass would override it
        self._wake = wake
        self._interests: dict[str, list[Interest]] = {}
        self._watches: dict[str, tuple[object, Any]] = {}
        self._stood: dict[str, tuple[int, int] | None] = {}
        self._refused: set[str] = set()
        self._changed: set[str] = set()
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Watch nothing any more."""
        threading.excepthook = self._excepthook
        if self._observer and not self._dead:  # its threads end with the process in any case
            with contextlib.suppress(KeyError):  # see `_bereft`
                self._observer.stop()
                self._observer.join()

    def _bereft(self, fault: threading.ExceptHookArgs) -> None:
        """Have all watched anew when a thread of the observer's has ended by a fault: it may be deaf, and says nothing.

        watchdog loses track of directories below a deep one that are moved while it looks, and stumbles over that.
        """
        from watchdog.utils import BaseThread

        if isinstance(fault.thread, BaseThread):
            self._dead = True
            self._lost()
        else:
            self._excepthook(fault)

    def _start(self) -> None:
        """Start the observer's threads, in place of one that lives no more; a user may have no more than so many."""
        from watchdog.observers.inotify import InotifyObserver

        try:
            room.need_for_thread()
            observer = InotifyObserver()
            observer.start()
        except (OSError, RuntimeError) as error:
            self._refuse("/ and what is below it", error)
            return
        dead, self._observer, self._dead = self._observer, observer, False
        self._refused.clear()
        self._watches.clear()
        with self._lock:
            self._changed.clear()  # of it the loop may never have been told
        if dead:
            with contextlib.suppress(RuntimeError):
                threading.Thread(target=_end, args=(dead,), name="end of watching", daemon=True).start()

    def watch(self, wanted: Mapping[str, Interest]) -> None:
        """Watch these directories from now on, and no others.

        To be called after every pass: a directory that was replaced is watched anew, and where one is missing its
        nearest ancestor is watched until it comes. So are the links on the way to it.
        """
        self._interests = {}
        for directory, interest in wanted.items():
            real = os.path.realpath(directory)
            self._add(real, interest)
            for path in {directory, real, *links(directory)}:
                parent = _nearest_existing(os.path.dirname(path))
                self._add(os.path.realpath(parent), Interest(_below(path, parent)))
        if self._observer is None or self._dead:
            self._start()
        if self._observer is None or self._dead:
            return
        for path in set(self._watches) - set(self._interests):
            self._unschedule(path)
        before, self._stood = self._stood, {path: _identity(path) for path in self._interests}
        if any(before.get(path, stands) != stands for path, stands in self._stood.items()):
            self._wake()  # before or after we looked, who knows, and what came into it meanwhile nobody told
        for path, interests in self._interests.items():
            self._schedule(path, content=any(one.content for one in interests), deep=any(one.deep for one in interests))

    def replaced(self) -> bool:
        """Tell whether another directory stands where a watched one stood: a file system was mounted or unmounted.

        Of that the directories themselves say nothing.
        """
        return any(_identity(path) != stood for path, stood in self._stood.items())

    def _add(self, path: str, interest: Interest) -> None:
        self._interests.setdefault(path, []).append(interest)

    def _schedule(self, path: str, *, content: bool, deep: bool) -> None:
        identity = (_identity(path), content, deep)
        if path in self._watches and self._watches[path][0] == identity:
            return
        self._unschedule(path)
        if identity[0] is None:
            return
        try:
            room.need_for_thread()
            watch = self._observer.schedule(self._handler, path, recursive=deep, event_filter=_events(content=content))
        except (OSError, RuntimeError) as error:
            self._refuse(path, error)
            return
        self._watches[path] = (identity, watch)
        self._refused.discard(path)

    def _refuse(self, path: str, error: OSError | RuntimeError) -> None:
        if path not in self._refused and not isinstance(error, FileNotFoundError):
            self._refused.add(path)
            told = error.strerror if isinstance(error, OSError) else None
            reason = told or (str(error.args[0]) if error.args else "it is not known why")
            limit = "; raise fs.inotify.max_user_instances and max_user_watches" if "limit" in reason else ""
            _log.warning("%s cannot be watched: %s%s; changes there are seen at the next resync",
                         path, reason.lower(), limit)  # fmt: skip

    def _unschedule(self, path: str) -> None:
        entry = self._watches.pop(path, None)
        if entry is not None:
            with contextlib.suppress(KeyError, OSError):  # its directory, and so its emitter, may be gone
                self._observer.unschedule(entry[1])

    def _happened(self, event: Any) -> None:
        """Take a change from the observer's thread to the loop's; many at once, since each call fills its pipe."""
        with self._lock:
            first = not self._changed
            self._changed.update((event.src_path, event.dest_path))
        if first:
            with contextlib.suppress(RuntimeError):  # the loop has closed: we are stopping
                self._loop.call_soon_threadsafe(self._consider)

    def _lost(self) -> None:
        """Look again, since events may have been lost."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def _consider(self) -> None:
        with self._lock:
            paths, self._changed = self._changed, set()
        if any(self._matters(path) for path in paths if path):
            self._wake()

    def _matters(self, path: str) -> bool:
        if path in self._interests:  # a watched directory itself came, went or moved
            return True
        directory = path
        while directory != "/":
            directory = os.path.dirname(directory)
            for interest in self._interests.get(directory, ()):
                if interest.matters(path):
                    return True
        return False


class _LookAgain(logging.Handler):
    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._wake = wake

    def emit(self, _record: logging.LogRecord) -> None:
        self._wake()


def _heed_the_log_of_watchdog(wake: Callable[[], None]) -> None:
    """Wake on whatever watchdog complains of: of an overflowing queue it tells nobody but its log.

    Where it loses track of directories that are moved, it warns with all that it has in mind, which helps nobody.
    """
    warnings.filterwarnings("ignore", module="watchdog")
    log = logging.getLogger("watchdog")
    log.handlers = [_LookAgain(wake)]
    log.propagate = False


def _end(observer: Any) -> None:
    """End what is left of an observer of which a thread has died; that may take for ever, for a lock it has left."""
    with contextlib.suppress(KeyError):
        observer._inotify_fd.stop()  # noqa: SLF001 - its own end comes to that only if all else goes well
    for emitter in tuple(observer.emitters):
        with contextlib.suppress(KeyError):
            emitter.stop()
    observer.emitters.clear()  # it would wait for them
    observer.stop()


def _events(*, content: bool) -> list[Any]:
    """Name the events wanted. In ``/dev`` every use of ``/dev/null`` is an event: only names may matter there."""
    from watchdog import events

    names = [events.FileCreatedEvent, events.FileDeletedEvent, events.FileMovedEvent,
             events.DirCreatedEvent, events.DirDeletedEvent, events.DirMovedEvent]  # fmt: skip
    contents = [events.FileClosedEvent, events.FileModifiedEvent, events.FileAttribEvent, events.DirAttribEvent]
    return names + contents if content else names


def _nearest_existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _below(path: str, parent: str) -> Callable[[str], bool]:
    """Accept the child of ``parent`` that leads to ``path``."""
    child = path[len(parent.rstrip("/")) + 1 :].partition("/")[0]
    return lambda changed: os.path.basename(changed) == child


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino

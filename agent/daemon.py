"""The living agent: settings, watches and passes in one event loop, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from agent import checkpoint, interests, loading, room, signals
from agent.config import places
from agent.directories import Directories, Interest
from agent.discovery.udev import UdevDatabase
from agent.notify import Notifier
from agent.publish import Publisher
from agent.reconcile import Reconciler, count
from agent.setup.keeping import Keeper
from agent.status import state
from agent.status.record import Record
from agent.status.socket import Socket
from agent.store import SpecDirectory, StoreError, Writer, passing
from agent.told import JsonLines, Told
from agent.watch import Mounts, Uevents, Wake
from cdi.errors import CDIError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.config.settings import Settings
    from agent.loading import Options
    from agent.metrics.endpoint import Endpoint
    from agent.status.state import State

_log = logging.getLogger("cdi-sync")
_RETRY_LIMIT = 60.0  # seconds; nothing tells us when a disk has room again
_DEAF = 60.0  # seconds between looks while no event tells of devices
_DEAFNESS = Problem("libudev", "cannot be used, so no event tells of devices, and each minute is looked for them",
                    "install libudev1, or see to the limits of this process")  # fmt: skip
_OPEN_FILES = 16_384


class Agent:
    """Keeps one spec directory true until it is told to stop."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._udev = UdevDatabase()
        self._stopping = False
        self._served = False
        self._reload = False
        self._failures = 0
        self._called = False
        self._hearing: Uevents | None = None
        self._deafness: Problem | None = None
        self._told = Told()
        self._manager = Notifier.of(os.environ)
        self._unready = True
        self._place: os.stat_result | None = None
        self._fault: BaseException | None = None
        self._loading: asyncio.Task[Settings] | None = None
        self._log_forms = {handler: handler.formatter for handler in _log.handlers}
        self._config: tuple[object, ...] | None = None
        self._holding: frozenset[str] = frozenset()
        self._record = Record()
        self._socket = Socket(lambda: state.document(self._state()))
        self._endpoint: Endpoint | None = None

    def _form_log(self, form: str) -> None:
        for handler in self._log_forms:
            handler.setFormatter(JsonLines() if form == "json" else self._log_forms[handler])

    def _adopt(self, settings: Settings) -> None:
        self.settings = settings
        self._directory = SpecDirectory(settings.spec_dir)
        self._reconciler = Reconciler(self._directory, self._udev)
        self._writer: Writer | None = None
        self._create = True

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; SIGHUP reads the configuration again.

        Raises:
            CDIError: at the start, when the configuration cannot be used.
            StoreError: at the start, when another process has the spec directory or it may not be written.
        """
        loading.spare_threads()
        self._config = loading.signature(self._options)  # before it is read: a change meanwhile must show
        self._adopt(await loading.load(self._options))
        self._record.loaded()
        self._form_log(self.settings.log)
        self.wake = Wake(self.settings.settle)
        self._publisher = Publisher(self.settings)
        self._listen()
        self._take_directory()
        directories = Directories(self._waking("file"))
        self._containerd = Keeper(self._waking("containerd"))
        mounts = Mounts(self._waking("mount"), lambda: interests.mounts(self.settings) or directories.replaced())
        mounts.start()
        try:
            directories.watch(self._wanted())
            self._hear()  # before the first look, so that nothing falls in between
            while not self._stopping:
                if self._fault:
                    raise self._fault
                self._called = await self.wake.due(await self._turn(directories))
        finally:
            self._tell_no_more()
            self._publisher.stop()
            mounts.stop()
            directories.stop()
            await self._containerd.stop()
            if self._writer:
                self._writer.close()
            self._manager.close()
        _log.info("stopped; the specs stay")

    async def _turn(self, directories: Directories) -> float:
        """Look, write and tell once; returns the seconds after which to do so again even if nothing happens."""
        try:
            self._hear()
            await self._refresh_settings()
            delay = self._pass()
            self._containerd.look(self.settings)
            directories.watch(self._wanted())
            self._publisher.look()  # once more: what came before it was watched for is no event
            self._tell()
            self._announce()
        except (OSError, ImportError, MemoryError) as error:  # no descriptor is free, for one
            with contextlib.suppress(MemoryError):
                self._told.failures([StoreError(_unlookable(error))])
            return self._retry()
        return delay if self._hearing else min(delay, _DEAF)

    def _hear(self) -> None:
        """Begin to hear of devices; where that cannot be done, say so once, and try again at the next turn."""
        if self._hearing is not None:
            return
        if self._udev.available:
            with contextlib.suppress(OSError):  # no descriptor is free, for one
                hearing = Uevents(self._udev, self._waking("device"), self._nodeless, self._publisher.vanished)
                hearing.start()
                self._hearing, self._deafness = hearing, None
        if self._hearing is None and self._deafness is None:
            self._deafness = _DEAFNESS
            _log.warning("%s", _DEAFNESS)

    def _nodeless(self, subsystem: str) -> bool:
        return interests.nodeless(self.settings, subsystem)

    def _waking(self, source: str) -> Callable[[], None]:
        return self._record.heard(source, self.wake.up)

    def _state(self) -> State:
        unserved = self._endpoint.problem if self._endpoint else None
        others = [problem for problem in (self._deafness, unserved) if problem]
        return self._record.now(self.settings, self._publisher, self._containerd, others)

    def _tell(self) -> None:
        """Answer `cdi-sync status`, and serve metrics where they are wanted."""
        self._socket.look(self.settings.state_dir)
        if self.settings.metrics and not self._endpoint:
            from agent.metrics.endpoint import Endpoint  # brings HTTP and Prometheus

            self._endpoint = Endpoint(self._state, lambda: self._deafness)
        if self._endpoint:
            self._endpoint.follow(self.settings.metrics)

    def _tell_no_more(self) -> None:
        self._socket.stop()
        if self._endpoint:
            self._endpoint.stop()

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._break)
        signals.heed({signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: self._hang_up})
        if self._manager.interval:
            self._ping(loop, self._manager.interval)

    def _ping(self, loop: asyncio.AbstractEventLoop, interval: float) -> None:
        """Say that the loop turns, now and ever after; one that hangs has nobody to say it."""
        loop.call_later(interval, self._ping, loop, interval)  # first: nothing may end the row of them
        self._manager.alive()

    def _announce(self) -> None:
        """Tell the service manager how the pass went, and once that a start or a reload ends with it."""
        self._manager.status(self._told.state)
        if self._unready and not self._stopping:
            self._manager.ready()
            self._unready = False

    def _reloading(self) -> None:
        if not self._unready:
            self._manager.reloading()
            self._unready = True

    def _break(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """End with the fault of a callback: a watcher that has died would leave us blind.

        One that was short of memory for a moment is called again, and what it missed the next look sees.
        """
        if isinstance(context.get("exception"), MemoryError):
            self.wake.up()
            return
        self._fault = context.get("exception") or RuntimeError(context["message"])
        self.wake.up()

    def _stop(self) -> None:
        self._stopping = True
        self._manager.stopping()
        if self._loading:
            self._loading.cancel()
        self.wake.end()

    def _hang_up(self) -> None:
        self._reload = True
        self._reloading()
        self._waking("signal")()

    def _take_directory(self) -> None:
        """Take the lock at the start; what another user or process could not heal by itself ends the agent."""
        try:
            self._ready_writer()
        except StoreError as error:
            if error.busy or not error.permitted:
                raise
        except OSError:  # it has become another in this moment: the first pass will say what is wrong
            return

    def _serve(self) -> None:
        """Serve the kubelet; at the start, another agent that does so already ends this one."""
        self._publisher.look()
        if self._publisher.busy and not self._served:
            raise StoreError(self._publisher.problems[-1], busy=True)
        self._served = True

    async def _refresh_settings(self) -> None:
        """Load the configuration again if it changed; one that cannot be used leaves the last good one in force."""
        signature = loading.signature(self._options)
        if signature == self._config and not self._reload:
            return
        self._reload = False
        self._reloading()
        self._loading = asyncio.ensure_future(loading.load(self._options))
        try:
            settings = await self._loading
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            return
        except CDIError as error:
            if self._certain(signature, error):
                self._told.refusal(error)
                self._record.refused(error.problems)
            return
        finally:
            self._loading = None
        if self._certain(signature):
            self._record.loaded()
            self._apply(settings)

    def _certain(self, signature: tuple[object, ...], error: CDIError | None = None) -> bool:
        """Tell whether what was read is the configuration as it stands, and so need not be read again.

        It is not while an editor is at it: then it may have been empty, or gone, for a moment.
        """
        if signature != loading.signature(self._options):
            self.wake.up()
            return False
        self._config = None if isinstance(error, loading.LoadError) else signature
        return True

    def _apply(self, settings: Settings) -> None:
        self._told.refused = ()
        if settings == self.settings:
            return
        _log.info("configuration loaded: %s", count(len(settings.classes), "class"))
        if settings.spec_dir != self.settings.spec_dir:
            _log.warning("%s is no longer kept true; remove our specs there: rm %s/cdi-sync+*.json",
                         self.settings.spec_dir, self.settings.spec_dir)  # fmt: skip
            if self._writer:
                self._writer.close()
            self._adopt(settings)
        self.settings = settings
        self._publisher.adopt(settings)
        self.wake.settle = settings.settle
        self._form_log(settings.log)

    def _pass(self) -> float:
        """Make one pass; returns the seconds after which to look again even if nothing happens."""
        start = time.perf_counter()
        try:
            room.need_for_look()
            outcome = self._reconciler.run(self.settings, self._ready_writer(), self._publisher.withdraw)
        except (StoreError, OSError, MemoryError) as error:
            if isinstance(error, StoreError):
                failure = error
                if self._walled_off():
                    raise
            else:  # what is short now was not met where a fact is read
                failure = StoreError(_unlookable(error))
            self._publisher.doubt(self._directory.as_left)
            self._told.failures([failure])
            self._record.failed(failure.problem, time.perf_counter() - start)
            return self._retry()
        self._publisher.offer(outcome)
        self._serve()
        self._record.passed(outcome, time.perf_counter() - start)
        self._holding = outcome.holding
        problems = self._publisher.problems
        self._told.outcome(outcome, self._directory.path, (*self.settings.notes, *problems))
        _log.debug("a pass of %.1f ms: %s", 1000 * (time.perf_counter() - start), outcome.sentence)
        grown = bool(outcome.pending - self._told.pending)
        self._told.pending = outcome.pending
        self.wake.looked(too_early=grown and not outcome.changes)
        if outcome.failures or outcome.pending or problems or self._config is None:
            return self._retry()
        self._failures = 0
        return self.settings.resync

    def _ready_writer(self) -> Writer:
        """Return the lock, taken again where the directory was replaced.

        A directory that is missing is made once. One that vanishes later is not: it may be a file system that is
        not mounted just now, and specs below the mount point would be lost.
        """
        if self._writer and self._writer.valid:
            return self._writer
        if self._writer:
            self._writer.close()
            self._writer = None
        self._writer = Writer(self._directory, create=self._create)
        self._create = False
        with contextlib.suppress(OSError):  # gone again: the pass will say so
            self._place = os.stat(self._directory.path)
        return self._writer

    def _walled_off(self) -> bool:
        """Tell whether the spec directory was replaced by one that this service may not write to.

        A sandbox lets through to the directory that stood there when it was built. The service manager builds it anew.
        """
        try:
            read_only = os.statvfs(self._directory.path).f_flag & os.ST_RDONLY
            now = os.stat(self._directory.path)
        except OSError:
            return False
        return bool(self._manager.listens and self._place and read_only and not os.path.samestat(self._place, now))

    def _retry(self) -> float:
        """Return the seconds until what failed is tried again, twice as many each time that it was tried in vain.

        A pass that an event called for says nothing about how long the failure lasts.
        """
        if not self._called or not self._failures:
            self._failures += 1
        return min(_RETRY_LIMIT, 2.0 ** min(self._failures - 1, 10), self.settings.resync)

    def _wanted(self) -> Iterator[tuple[str, Interest]]:
        """Yield the directories to watch, and what matters in each."""
        yield self.settings.spec_dir, Interest(self._spec_matters, content=True)
        for path in places.directories(self._options.config):
            yield path, Interest(_any, content=True)
        holding = (self.settings.kubelet.directory,) if self._holding else ()
        for directory in {*self._publisher.directories, *holding}:  # once each: its test looks at sockets
            yield directory, Interest(self._kubelet_matters)
        for directory in self._containerd.directories:
            yield directory, Interest(self._containerd.matters, content=True)
        for directory, deep in interests.directories(self.settings).items():
            yield directory, Interest(_any, deep=deep)

    def _spec_matters(self, path: str) -> bool:
        """What we wrote ourselves is no news."""
        name = os.path.basename(path)
        return not passing(name) and not self._directory.as_left(name)

    def _kubelet_matters(self, path: str) -> bool:
        """What the kubelet records of its pods matters while specs stay for them."""
        if os.path.basename(path) == checkpoint.NAME:
            return bool(self._holding)
        return self._publisher.matters(path)


def _unlookable(error: Exception) -> Problem:
    hint = "see to the limits of this process; it is tried again"
    return Problem("this node", f"cannot be looked at: {room.lack(error)}", hint)


def _any(_path: str) -> bool:
    return True


def _allow_open_files() -> None:
    """Use what we may of open files: sockets, connections and watches are some hundreds on a large node."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def serve(options: Options) -> None:
    """Run the agent in the foreground until it is told to stop.

    Raises:
        CDIError: the configuration cannot be used.
        StoreError: the spec directory is another's, or may not be written.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is a configuration to read again
    _allow_open_files()
    asyncio.run(Agent(options).run())

"""What happened, in order and with its time, and what of it a plugin must not do."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Found = TypeVar("Found")
_POLL = 0.02  # for conditions that no event announces


class Rule(StrEnum):
    """What a plugin can break."""

    VERSION = "version"
    RESOURCE_NAME = "resource-name"
    ENDPOINT = "endpoint"
    SOCKET_PATH = "socket-path"
    SOCKET_MODE = "socket-mode"
    NOT_SERVING = "not-serving"
    OPTIONS = "options"
    STREAM_STILL_OPEN = "stream-still-open"
    BOTH_WAYS = "both-ways"
    HEALTH_WORD = "health-word"
    DEVICE_ID = "device-id"
    DUPLICATE_ID = "duplicate-id"
    DEVICE_DROPPED = "device-dropped"
    LIST_SIZE = "list-size"
    PREFERRED = "preferred"
    ANSWER = "answer"
    CDI_NAME = "cdi-name"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a `time.monotonic()`; `resource` is empty where it is about none."""

    at: float
    what: str
    resource: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

    def line(self) -> str:
        """It as a line of JSON."""
        return json.dumps({"at": self.at, "what": self.what, "resource": self.resource, **self.facts}, default=str)


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that a plugin broke."""

    rule: Rule
    resource: str
    message: str


class Journal:
    """Events, appended by any thread. ``told`` is called with each."""

    def __init__(self, told: Callable[[Event], None] | None = None) -> None:
        self._told = told
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._breaches: dict[Breach, None] = {}

    def __len__(self) -> int:
        return len(self._events)

    @property
    def breaches(self) -> tuple[Breach, ...]:
        """What was broken, each once."""
        with self._changed:
            return tuple(self._breaches)

    def note(self, what: str, resource: str = "", at: float | None = None, /, **facts: object) -> None:
        """Write down that something happened, just now or at a `time.monotonic()`."""
        event = Event(time.monotonic() if at is None else at, what, resource, facts)
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()
        if self._told is not None:
            self._told(event)

    def breach(self, rule: Rule, resource: str, message: str) -> None:
        """Write down a broken rule; the same again counts once."""
        found = Breach(rule, resource, message)
        with self._changed:
            if found in self._breaches:
                return
            self._breaches[found] = None
        self.note("breach", resource, rule=rule.value, message=message)

    def events(self, what: str | None = None, resource: str | None = None, *, since: int = 0) -> tuple[Event, ...]:
        """The events of that name and resource, from place ``since`` (a former `len`) on."""
        with self._changed:
            rest = self._events[since:]
        return tuple(event for event in rest if what in (None, event.what) and resource in (None, event.resource))

    def until(self, condition: Callable[[], Found], seconds: float) -> Found:
        """Wait until the condition yields something true, and return that.

        Raises:
            AssertionError: it did not in time; the message has the journal's end.
        """
        end = time.monotonic() + seconds
        while True:
            seen = len(self)
            if found := condition():
                return found
            if (left := end - time.monotonic()) <= 0:
                tail = "\n".join(event.line()[:300] for event in self._events[-20:])
                raise AssertionError(f"not within {seconds} s; the journal ends:\n{tail}")
            with self._changed:
                if len(self._events) == seen:
                    self._changed.wait(min(left, _POLL))

"""Facts that are looked up once, by whoever asks first."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class UnfinishedError(Exception):
    """Somebody else is looking already, and has not come back."""


class Once(Generic[T]):
    """A method as an attribute: called once, its value or its exception kept.

    Who asks while another thread is still looking gets `UnfinishedError`, so that one dead file system is waited for
    once.
    """

    def __init__(self, look: Callable[[Any], T]) -> None:
        self._look = look
        self.__doc__ = look.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Once[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | Once[T]:
        """Return the fact."""
        if instance is None:
            return self
        answer: _Answer[T] = instance.__dict__.setdefault(f"_{self._name}", _Answer[T]())
        return answer.of(self._look, instance)


class _Answer(Generic[T]):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: list[T] = []
        self._error: Exception | None = None

    def of(self, look: Callable[[Any], T], instance: object) -> T:
        if not self._lock.acquire(blocking=False):
            raise UnfinishedError
        try:
            if self._error is not None:
                raise self._error
            if not self._values:
                self._values.append(self._first(look, instance))
            return self._values[0]
        finally:
            self._lock.release()

    def _first(self, look: Callable[[Any], T], instance: object) -> T:
        try:
            return look(instance)
        except Exception as error:
            self._error = error
            raise

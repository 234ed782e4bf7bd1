"""Soft time-outs for bodies that run in threads.

When the time is up a TimeoutError is raised inside the body by the interpreter. It ends Python
code within milliseconds, but not a call into C, a lock, or a sleep: those end first.
"""

from __future__ import annotations

import ctypes
import heapq
import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import TypeVar

from django_agenda.clock import monotonic

R = TypeVar("R")


class _Watched:
    """Hold one body: the thread it runs in, and whether its time-out was raised."""

    __slots__ = ("fired", "thread_id", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.thread_id: int | None = threading.get_ident()
        self.fired = False


class Deadlines:
    """Watch bodies that have a time-out, all in one thread."""

    def __init__(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="agenda-deadlines", daemon=True)
        self._heap: list[tuple[float, int, _Watched]] = []
        self._order = count()
        self._changed = threading.Condition()
        self._stopping = False

    def start(self) -> None:
        """Start the thread that watches."""
        self._thread.start()

    def run(self, limit: timedelta, body: Callable[[], R]) -> R:
        """Run the body, and raise TimeoutError when it takes longer than that."""
        watched = _Watched(monotonic() + limit.total_seconds())
        try:
            try:
                self._add(watched)
                result = body()
            finally:
                self._remove(watched)
        except TimeoutError:
            if watched.fired:
                raise TimeoutError(f"It took longer than {limit}") from None
            raise
        if watched.fired:
            raise TimeoutError(f"It took longer than {limit}")
        return result

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def _add(self, watched: _Watched) -> None:
        with self._changed:
            heapq.heappush(self._heap, (watched.until, next(self._order), watched))
            if self._heap[0][2] is watched:
                self._changed.notify()

    def _remove(self, watched: _Watched) -> None:
        # Under the lock: after it, no time-out can hit what this thread runs next.
        with self._changed:
            watched.thread_id = None

    def _watch(self) -> None:
        with self._changed:
            while not self._stopping:
                self._changed.wait(self._wait())
                while self._heap and self._heap[0][0] <= monotonic():
                    self._fire(heapq.heappop(self._heap)[2])

    def _wait(self) -> float | None:
        while self._heap and self._heap[0][2].thread_id is None:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0][0] - monotonic()) if self._heap else None

    def _fire(self, watched: _Watched) -> None:
        if watched.thread_id is not None:
            watched.fired = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(watched.thread_id), ctypes.py_object(TimeoutError)
            )

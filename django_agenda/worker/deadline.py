"""Soft time-outs for bodies that run in threads.

When the time is up a TimeoutError is raised inside the body by the interpreter. It ends Python
code within milliseconds, but not a call into C, a lock, or a sleep: those end first.

The thread of a body takes no lock here: an exception that comes between taking and keeping it
would leave it locked for ever. Whoever pops the token decides, and a pop is one step.
"""

from __future__ import annotations

import ctypes
import heapq
import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from queue import Empty, SimpleQueue
from typing import TypeVar

from django_agenda.clock import monotonic

R = TypeVar("R")

# More steps than any interpreter takes before it looks for an exception from outside.
_STEPS = 1000


class _Watched:
    """Hold one body: the thread it runs in, and who may end its time."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.thread_id = threading.get_ident()
        self._token = [True]
        self._raised = False

    @property
    def fired(self) -> bool:
        """Tell whether its time-out was raised; asked after end()."""
        return self._raised

    def fire(self) -> None:
        """Raise TimeoutError in the body, unless it has ended."""
        if self._take_token():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self.thread_id), ctypes.py_object(TimeoutError)
            )
            self._raised = True

    def end(self) -> None:
        """Note that the body has ended; a time-out that is on its way arrives in here."""
        if self._take_token():
            return
        while not self._raised:
            monotonic()
        for _ in range(_STEPS):
            monotonic()

    def _take_token(self) -> bool:
        try:
            return self._token.pop()
        except IndexError:
            return False


class Deadlines:
    """Watch bodies that have a time-out, all in one thread."""

    def __init__(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="agenda-deadlines", daemon=True)
        self._incoming: SimpleQueue[_Watched | None] = SimpleQueue()

    def start(self) -> None:
        """Start the thread that watches."""
        self._thread.start()

    def run(self, limit: timedelta, body: Callable[[], R]) -> R:
        """Run the body, and raise TimeoutError when it takes longer than that."""
        watched = _Watched(monotonic() + limit.total_seconds())
        try:
            self._incoming.put(watched)
            try:
                result = body()
            finally:
                watched.end()
        except TimeoutError:
            if not watched.fired:
                raise
        else:
            if not watched.fired:
                return result
        raise TimeoutError(f"It took longer than {limit}")

    def stop(self) -> None:
        """End the thread."""
        self._incoming.put(None)

    def _watch(self) -> None:
        heap: list[tuple[float, int, _Watched]] = []
        order = count()
        while True:
            wait = max(0.0, heap[0][0] - monotonic()) if heap else None
            try:
                watched = self._incoming.get(timeout=wait)
            except Empty:
                heapq.heappop(heap)[2].fire()
                continue
            if watched is None:
                return
            heapq.heappush(heap, (watched.until, next(order), watched))

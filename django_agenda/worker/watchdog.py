"""End a worker whose own parts hang: nothing else could."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Mapping

from django_agenda.clock import monotonic

from .progress import Progress

STUCK = 70
LOOK_EVERY = 1.0
LAST_GASP = 3.0
LAST_WORDS = 1.0


class Watchdog(threading.Thread):
    """Look at the progress of the parts; do no I/O, take no lock.

    A part that has been in one step for longer than `limit` seconds hangs, as does one whose
    thread is dead. A server that is down is no hanging: the parts then fail, and pause. What
    is left then: one flush of the outcomes, on a fresh connection and in a thread of its own; the
    stacks of all threads to stderr; and the end. Supervisors see exit code 70.
    """

    def __init__(
        self,
        parts: Mapping[str, Progress],
        limit: float,
        last_gasp: Callable[[], object],
        end: Callable[[int], object] = os._exit,
    ) -> None:
        super().__init__(name="agenda-watchdog", daemon=True)
        self._parts = parts
        self._limit = limit
        self._last_gasp = last_gasp
        self._end = end
        self._stopping = threading.Event()
        self._looked_at: float | None = None
        self._watched: dict[str, tuple[float | None, float]] = {}

    def run(self) -> None:
        """Look every second, until stopped or until something hangs."""
        every = min(LOOK_EVERY, self._limit / 4)
        while not self._stopping.wait(every):
            stuck = self.look()
            if stuck:
                self._finish(stuck)
                return

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def look(self) -> str:
        """Return the name of a part that hangs, or nothing.

        Time in which this thread did not run either (a stopped process, a body that holds the
        interpreter's lock) is nobody's fault: at most two looks' worth of it count.
        """
        moment = monotonic()
        passed = 0.0 if self._looked_at is None else moment - self._looked_at
        passed = min(passed, 2 * LOOK_EVERY)
        self._looked_at = moment
        for name, part in self._parts.items():
            since = part.busy_since
            before, seen = self._watched.get(name, (None, 0.0))
            if since is None and part.is_alive():
                seen = 0.0
            else:
                seen = seen + passed if since == before else 0.0
            self._watched[name] = (since, seen)
            if seen > self._limit:
                return name
        return ""

    def _finish(self, name: str) -> None:
        _within(LAST_GASP, self._last_gasp)
        _within(LAST_WORDS, lambda: _show_stacks(name))
        self._end(STUCK)


def _show_stacks(name: str) -> None:
    sys.stderr.write(f"agenda: {name} hangs, so this worker ends with {STUCK}\n")
    sys.stderr.flush()
    faulthandler.dump_traceback(all_threads=True)


def _within(seconds: float, step: Callable[[], object]) -> None:
    thread = threading.Thread(target=step, daemon=True)
    thread.start()
    thread.join(seconds)

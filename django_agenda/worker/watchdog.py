"""A thread that does no I/O, and so notices when everything else hangs."""

from __future__ import annotations

import faulthandler
import os
import resource
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django_agenda.clock import monotonic

from .codes import BROKEN

EVERY = 0.5
# What takes longer than this is no progress.
SLOW = 15.0

Mark = Callable[[], object]
"""Tell what a part is busy with; None while it waits. The same for long means that it hangs."""


class Watchdog(threading.Thread):
    """Look twice a second at the parts of this process.

    `checks` are called every time. One that sees a part hang for longer than `limit` writes the
    stacks of all threads to standard error and ends the process; its supervisor starts another.
    """

    def __init__(
        self,
        parts: Mapping[str, Mark],
        *,
        checks: list[Callable[[], None]],
        progress: Callable[[], None],
        limit: timedelta | None,
    ) -> None:
        super().__init__(name="agenda-watchdog", daemon=True)
        self._parts = parts
        self._checks = checks
        self._progress = progress
        self._limit = None if limit is None else limit.total_seconds()
        self._seen: dict[str, tuple[object, float]] = {}
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def run(self) -> None:
        """Look, again and again."""
        while not self._stopped.wait(EVERY):
            self.tick()

    def tick(self) -> None:
        """Look once."""
        for check in self._checks:
            check()
        name, longest = self._longest()
        if longest < SLOW:
            self._progress()
        if self._limit is not None and longest > self._limit:
            _end_the_process(name, longest)

    def _longest(self) -> tuple[str, float]:
        moment = monotonic()
        worst = ("", 0.0)
        for name, mark in self._parts.items():
            now = mark()
            before, since = self._seen.get(name, (None, moment))
            if now is None or now != before:
                since = moment
            self._seen[name] = (now, since)
            worst = max(worst, (name, moment - since), key=lambda pair: pair[1])
        return worst


def memory() -> int:
    """Return how many bytes of memory this process has now; on macOS, at most ever had."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()


def touch(path: Path) -> None:
    """Write to a file that something goes on; that it cannot be written stops nothing."""
    with suppress(OSError):
        path.touch()


def _end_the_process(name: str, seconds: float) -> None:
    sys.stderr.write(f"The {name} has hung for {seconds:.0f} s; this process ends.\n")
    sys.stderr.flush()
    faulthandler.dump_traceback(all_threads=True)
    os._exit(BROKEN)

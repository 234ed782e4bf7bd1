"""Look twice a second at what the bodies do, and show those who watch that this process lives."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from django_agenda.clock import monotonic

from .progress import Progress

EVERY = 0.5
# A part that takes longer than this over one step makes no progress.
SLOW = 15.0


class Pulse(threading.Thread):
    """Call `check` again and again, and `progress` as long as every part comes around.

    A server that is down does not stop the parts: they fail, pause, and try again.
    """

    def __init__(
        self,
        parts: Collection[Progress],
        *,
        check: Callable[[], None],
        progress: Callable[[], None],
    ) -> None:
        super().__init__(name="agenda-pulse", daemon=True)
        self._parts = parts
        self._check = check
        self._progress = progress
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
        self._check()
        if all(part.is_alive() and _is_quick(part.busy_since) for part in self._parts):
            self._progress()


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


def _is_quick(busy_since: float | None) -> bool:
    return busy_since is None or monotonic() - busy_since < SLOW

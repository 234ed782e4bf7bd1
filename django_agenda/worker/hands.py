"""How much a worker may hold: what it runs, and a little of what it will run next."""

from __future__ import annotations

import threading
from collections.abc import Callable

# Work that is kept at hand, in seconds: enough to hide a claim's round trips, and too little to
# hoard what another worker could run.
AT_HAND = 0.05
MOST_AT_HAND = 1000
_SMOOTHING = 0.2


class Hands:
    """Count what was claimed and has not ended; tell how much more to claim."""

    def __init__(self, concurrency: int, when_free: Callable[[], None]) -> None:
        self.concurrency = concurrency
        self._when_free = when_free
        self._lock = threading.Lock()
        self._held = 0
        self._started = 0
        self._wake_at = -1
        self._seconds_each: float | None = None

    @property
    def held(self) -> int:
        """Return how many are claimed and have not ended."""
        return self._held

    @property
    def free(self) -> int:
        """Return how many slots neither run nor are promised."""
        return max(0, self.concurrency - self._held)

    @property
    def started(self) -> int:
        """Return how many have ever been claimed."""
        return self._started

    def room(self) -> int:
        """Return how many due executions to claim now; at 0, `when_free` is called later.

        While every slot is busy this is 0 until half of what is kept at hand is used up, so that
        claims stay large.
        """
        with self._lock:
            target = self._target()
            enough = max(self.concurrency - 1, target - target // 2)
            if self._held <= enough:
                return target - self._held
            self._wake_at = enough
            return 0

    def ask_when_empty(self) -> None:
        """Call `when_free` when nothing is held any more: a drain waits for it."""
        with self._lock:
            self._wake_at = 0

    def take(self, count: int) -> None:
        """Note that so many were claimed."""
        with self._lock:
            self._held += count
            self._started += count

    def put_down(self, count: int = 1, seconds: float | None = None) -> None:
        """Note that so many have ended, or were given back; `seconds` is how long a body took."""
        with self._lock:
            self._held -= count
            if seconds is not None:
                before = self._seconds_each
                self._seconds_each = (
                    seconds if before is None else before + (seconds - before) * _SMOOTHING
                )
            wake = self._held <= self._wake_at
            if wake:
                self._wake_at = -1
        if wake:
            self._when_free()

    def _target(self) -> int:
        if self._seconds_each is None:
            return self.concurrency
        each = max(self._seconds_each, 1e-6)
        extra = min(MOST_AT_HAND, int(self.concurrency * AT_HAND / each))
        return self.concurrency + extra

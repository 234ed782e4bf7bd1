"""How much a worker may hold: what it runs, and a little of what it will run next."""

from __future__ import annotations

import threading
from collections.abc import Callable

# Work that is kept at hand, in seconds: enough to hide a claim's round trips, and too little to
# hoard what another worker could run.
AT_HAND = 0.05
MOST_AT_HAND = 1000
# How much one body counts: a long one is believed soon, short ones only when there were many, for a
# few of them say nothing of the next thousand.
_RISE, _FALL = 0.2, 0.02


class Hands:
    """Count what was claimed and has not ended; tell how much more to claim."""

    def __init__(
        self, concurrency: int, when_free: Callable[[], None], most: int = MOST_AT_HAND
    ) -> None:
        self.concurrency = concurrency
        self._most = min(most, MOST_AT_HAND)
        self._when_free = when_free
        self._lock = threading.Lock()
        self._held = 0
        self._started = 0
        self._wake_at = -1
        # So long that nothing more than runs is kept at hand.
        self._seconds_each = 2 * AT_HAND * concurrency

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
                more = seconds - self._seconds_each
                self._seconds_each += more * (_RISE if more > 0 else _FALL)
            wake = self._held <= self._wake_at
            if wake:
                self._wake_at = -1
        if wake:
            self._when_free()

    def _target(self) -> int:
        each = max(self._seconds_each, 1e-6)
        extra = min(self._most, int(self.concurrency * AT_HAND / each))
        return self.concurrency + extra

"""Let go of each claim at its exact moment."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable
from itertools import count

from django_agenda.clock import monotonic

from .claim import Claim


class Alarm(threading.Thread):
    """Hold claims that are not due yet, in a thread that no round trip can make late."""

    def __init__(self, release: Callable[[Claim], None]) -> None:
        super().__init__(name="agenda-alarm", daemon=True)
        self._release = release
        self._heap: list[tuple[float, int, Claim]] = []
        self._order = count()
        self._changed = threading.Condition()
        self._stopping = False

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, claims: Iterable[Claim]) -> None:
        """Take claims, and wake up for the earliest."""
        with self._changed:
            for claim in claims:
                heapq.heappush(self._heap, (claim.starts, next(self._order), claim))
            self._changed.notify()

    def empty(self) -> list[Claim]:
        """Stop, and return what was not let go."""
        with self._changed:
            self._stopping = True
            left, self._heap = [claim for _, _, claim in self._heap], []
            self._changed.notify()
        if self.is_alive():
            # What it is letting go at this moment must have arrived before pools are emptied.
            self.join(1.0)
        return left

    def run(self) -> None:
        """Wait for the earliest moment, again and again."""
        while True:
            with self._changed:
                while not self._stopping and (wait := self._wait()) != 0.0:
                    self._changed.wait(wait)
                if self._stopping:
                    return
                claim = heapq.heappop(self._heap)[2]
            self._release(claim)

    def _wait(self) -> float | None:
        if not self._heap:
            return None
        return max(0.0, self._heap[0][0] - monotonic())

"""What is costly to count is counted by one request at a time, and kept for a moment.

Large batches are looked at by several people, and by pages that keep themselves fresh: what they
all show is counted once. It is kept in this process, so that no page needs a cache that answers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

from django_agenda.clock import monotonic

Value = TypeVar("Value")

SHORTEST_S, COST_FACTOR = 2.0, 5.0
FINAL_S = 3600.0


class Memory:
    """Keep values by key, at most `size` of them; threads may share it."""

    def __init__(self, size: int = 64) -> None:
        self._size = size
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def recall(self, key: Hashable, count: Callable[[], Value], *, is_final: bool = False) -> Value:
        """Return what count() gives; whoever asks meanwhile waits for it and gets the same.

        It is kept for five times as long as it took, two seconds at least, or for an hour when it
        is final. What count() raises is raised, and the next one to ask counts again.
        """
        kept = self._place(key)
        with kept.lock:
            if monotonic() >= kept.until:
                begin = monotonic()
                kept.value = count()
                now = monotonic()
                kept.until = now + max(SHORTEST_S, COST_FACTOR * (now - begin))
                if is_final:
                    kept.until = now + FINAL_S
            value: Value = kept.value
            return value

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._kept.clear()

    def _place(self, key: Hashable) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
            return kept


class _Kept:
    __slots__ = ("lock", "until", "value")

    def __init__(self) -> None:
        self.lock = Lock()
        self.until = float("-inf")
        self.value: Any = None


memory = Memory()

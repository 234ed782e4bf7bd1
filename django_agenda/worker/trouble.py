"""What a worker says, and how long it waits, when a server cannot be used."""

from __future__ import annotations

import random
import threading

from django.db import DatabaseError, InterfaceError

from django_agenda.clock import monotonic
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.signals import trouble_began, trouble_ended

BROKER = "broker"
DATABASE = "database"
WORKER = "worker"

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


class Trouble:
    """Say once for all parts of a worker that a server is down, and once that it is back."""

    def __init__(self) -> None:
        self.failures = 0
        """How often anything but the broker failed: then commits may have gone unheard."""
        self._since: dict[str, float] = {}
        self._lock = threading.Lock()

    def met(self, error: Exception) -> None:
        """Note a failure; an error of neither server is one of our own, and said every time."""
        part = _part(error)
        with self._lock:
            self.failures += part != BROKER
            is_new = part not in self._since
            if part != WORKER:
                self._since.setdefault(part, monotonic())
        if is_new:
            trouble_began.send_robust(Trouble, part=part, error=error)

    def is_on(self, part: str) -> bool:
        """Tell whether this server failed last."""
        return part in self._since

    def over(self, part: str, asked: float) -> None:
        """Note that this server has answered what it was asked at that monotonic time.

        Who had asked before somebody met the trouble may have had the last answer before it.
        """
        since = self._since.get(part)
        if since is None or since > asked:
            return
        with self._lock:
            is_over = self._since.get(part) == since
            if is_over:
                del self._since[part]
        if is_over:
            trouble_ended.send_robust(Trouble, part=part, seconds=monotonic() - since)


class Pause:
    """Wait ever longer, at random, so that many workers do not come back at one moment.

    The decorrelated jitter of AWS's "Exponential Backoff And Jitter" (2015).
    """

    def __init__(self) -> None:
        self._last = FIRST_PAUSE

    def longer(self) -> float:
        """Return the next pause, in seconds."""
        self._last = min(LONGEST_PAUSE, random.uniform(FIRST_PAUSE, self._last * 3))
        return self._last


def _part(error: Exception) -> str:
    if isinstance(error, BrokerUnavailable):
        return BROKER
    return DATABASE if isinstance(error, DatabaseError | InterfaceError) else WORKER

"""A thread that ticks: each tick says how long to wait for the next one."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from django_agenda.clock import monotonic
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.signals import trouble_began, trouble_ended

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


class Trouble:
    """Say once that a server cannot be used, wait ever longer, and say when it can again."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._pause = 0.0
        self._lock = threading.Lock()

    def met(self, error: Exception) -> float:
        """Note a failure; return how many seconds to wait (decorrelated jitter)."""
        part = "broker" if isinstance(error, BrokerUnavailable) else "database"
        with self._lock:
            is_new = part not in self._since
            self._since.setdefault(part, monotonic())
            most = max(FIRST_PAUSE, self._pause * 3)
            self._pause = min(LONGEST_PAUSE, random.uniform(FIRST_PAUSE, most))
        if is_new:
            trouble_began.send_robust(Trouble, part=part, error=error)
        return self._pause

    def over(self) -> None:
        """Note that all went well."""
        if not self._since:
            return
        with self._lock:
            ended, self._since, self._pause = self._since, {}, 0.0
        for part, since in ended.items():
            trouble_ended.send_robust(Trouble, part=part, seconds=monotonic() - since)


class Loop(threading.Thread):
    """Call `tick` again and again, until stopped; a server that is down does not end it."""

    def __init__(self, name: str, tick: Callable[[], float], trouble: Trouble) -> None:
        super().__init__(name=f"agenda-{name}", daemon=True)
        self._tick = tick
        self._trouble = trouble
        self._signal = threading.Event()
        self._stopping = False

    def run(self) -> None:
        """Tick, wait, and tick again."""
        try:
            while not self._stopping:
                self._signal.wait(self._safely())
                self._signal.clear()
        finally:
            connections.close_all()

    def wake(self) -> None:
        """Tick now, or again when a tick is under way."""
        self._signal.set()

    def stop(self) -> None:
        """Tick no more; a tick that is under way ends."""
        self._stopping = True
        self._signal.set()

    def _safely(self) -> float:
        try:
            wait = self._tick()
        except (BrokerUnavailable, DatabaseError, InterfaceError) as error:
            close_old_connections()
            return self._trouble.met(error)
        self._trouble.over()
        return wait

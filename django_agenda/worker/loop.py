"""A thread that ticks: each tick says how long to wait for the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import close_old_connections, connections

from django_agenda.clock import monotonic

from .trouble import Pause, Trouble


class Loop(threading.Thread):
    """Call `tick` again and again, until stopped; a server that is down does not end it."""

    def __init__(self, name: str, tick: Callable[[], float], trouble: Trouble) -> None:
        super().__init__(name=f"agenda-{name}", daemon=True)
        self._tick = tick
        self._trouble = trouble
        self._pause = Pause()
        self._signal = threading.Event()
        self._stopping = False
        self._busy_since: float | None = None

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

    def mark(self) -> object:
        """Return what tells this tick from the others, or None between two."""
        return self._busy_since

    def _safely(self) -> float:
        self._busy_since = monotonic()
        try:
            wait = self._tick()
        except Exception as error:  # noqa: BLE001
            close_old_connections()
            self._trouble.met(error)
            return self._pause.longer()
        finally:
            self._busy_since = None
        self._pause = Pause()
        return wait

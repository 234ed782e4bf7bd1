"""A thread that ticks: each tick says how long to wait for the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import close_old_connections, connections

from django_agenda.exceptions import BrokerUnavailable

from .control import Control
from .progress import Progress
from .trouble import Pause, Trouble


class Loop(threading.Thread):
    """Call `tick` again and again, until stopped; a server that is down does not end it."""

    def __init__(
        self,
        name: str,
        tick: Callable[[], float],
        trouble: Trouble,
        control: Control | None = None,
    ) -> None:
        super().__init__(name=f"agenda-{name}", daemon=True)
        self._tick = tick
        self._trouble = trouble
        self._control = control
        self.progress = Progress()
        self.progress.is_alive = lambda: self.is_alive() or self._stopping or self.ident is None
        self._pause = Pause()
        self._signal = threading.Event()
        self._stopping = False

    def run(self) -> None:
        """Tick, wait, and tick again."""
        try:
            if self._control is not None:
                self._control.open()
            while not self._stopping:
                self._signal.wait(self._safely())
                self._signal.clear()
        finally:
            self._close()

    def wake(self) -> None:
        """Tick now, or again when a tick is under way."""
        self._signal.set()

    def stop(self) -> None:
        """Tick no more; a tick that is under way ends."""
        self._stopping = True
        self._signal.set()

    def _safely(self) -> float:
        try:
            with self.progress:
                self._refresh()
                wait = self._tick()
        except Exception as error:  # noqa: BLE001
            self._refresh()
            # Whoever was stopped while it waited at Redis is no worker any more that misses it.
            if not (self._stopping and isinstance(error, BrokerUnavailable)):
                self._trouble.met(error)
            return self._pause.longer()
        self._pause = Pause()
        return wait

    def _refresh(self) -> None:
        if self._control is None:
            close_old_connections()
        else:
            self._control.refresh()

    def _close(self) -> None:
        if self._control is None:
            connections.close_all()
        else:
            self._control.close()

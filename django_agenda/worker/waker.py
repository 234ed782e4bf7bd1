"""Wait for a token of the broker: something became due earlier than was known."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django_agenda.broker import broker

from .hands import Hands
from .queues import Queues
from .trouble import BROKER, Pause, Trouble

BUSY = 0.02


class Waker:
    """Interrupt the claimer's wait; it has a connection of its own, which blocks."""

    def __init__(self, queues: Queues, hands: Hands, seconds: float, trouble: Trouble) -> None:
        self._queues = queues
        self._hands = hands
        self._seconds = seconds
        self._trouble = trouble
        self._pause = Pause()
        self.is_quiet: Callable[[], bool] = lambda: False
        self.is_back: Callable[[], object] = dict
        self.wake: Callable[[], None] = threading.Event().set

    def tick(self) -> float:
        """Block for a token, and wake the claimer when there is one."""
        if self._trouble.is_on(BROKER):
            # This is the thread that may wait for a server that hangs.
            broker.ping()
            self.is_back()
            self.wake()
            return self._pause.longer()
        self._pause = Pause()
        if self.is_quiet():
            # Whoever ends that wakes this loop.
            return self._seconds
        if not self._hands.free:
            # The token is left for a worker that can use it; this one looks when it has room.
            return BUSY
        came = broker.wait_for_wake(
            self._queues.served(), every_queue=self._queues.is_every, seconds=self._seconds
        )
        if came:
            self._queues.look_again()
            self.wake()
        return 0.0

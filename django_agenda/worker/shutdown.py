"""Signals: the first drains, the second gives work back and ends, the third ends at once."""

from __future__ import annotations

import select
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from django_agenda.clock import monotonic

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """Wait for a signal, or for an end of one's own accord, without polling.

    Handlers run between two steps of the main thread, which may hold any lock at that moment; so
    they only count, and a byte in a socket wakes whoever waits. The interpreter writes it when the
    signal comes: the system may give a signal to any thread, and one that the main thread did not
    get itself does not end its waiting. Outside the main thread there are no handlers, and
    `request()` is the only way.

    `ordered` is how a child learns what its supervisor wants: a signal then only says that it is
    to look. So it makes no difference who else sent one to the whole group of processes.
    `at_once` is called for the third signal, which otherwise ends the process by itself.
    """

    def __init__(
        self,
        ordered: Callable[[], int] | None = None,
        at_once: Callable[[], object] | None = None,
    ) -> None:
        self.count = 0
        self.reason = ""
        self.told_at: float | None = None
        self._ordered = ordered
        self._at_once = at_once
        self._readers: dict[Any, Callable[[], object]] = {}
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._before: dict[int, Any] = {}
        self._woken_before = -1

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            waker = self._writer.fileno()
            self._woken_before = signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._heard)
            # Whoever forked this process has held them back until now.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            if self._ordered is not None:
                signal.signal(signal.SIGINT, ignore)
                self._count_up(self._ordered(), "SIGTERM")
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._before:
            signal.set_wakeup_fd(self._woken_before)
        self._reader.close()
        self._writer.close()

    def request(self, reason: str) -> None:
        """Ask for a drain of one's own accord, from any thread; again changes nothing."""
        if not self.count:
            self.reason = reason
            self.count = 1
            self.poke()

    def tell(self, reason: str) -> None:
        """Ask for a drain as the first signal does, from any thread."""
        self.request(reason)
        self.told_at = self.told_at or monotonic()
        self.poke()

    def listen(self, reader: Any, then: Callable[[], object]) -> None:
        """Call `then`, in wait(), whenever there is something to read."""
        self._readers[reader] = then

    def forget(self, reader: Any) -> None:
        """Listen to it no longer."""
        self._readers.pop(reader, None)

    def orphaned(self) -> None:
        """Drain, and count signals from now on: there is no supervisor that would."""
        self._ordered = None
        self.tell("the supervisor is gone")

    def wait(self, seconds: float | None, *, beyond: int = 0) -> bool:
        """Wait for more than `beyond` requests, and tell whether they have come.

        Returns early after a poke, and when something was read.
        """
        if self.count > beyond:
            return True
        ready = select.select([self._reader, *self._readers], [], [], seconds)[0]
        for reader in ready:
            if reader is self._reader:
                self._reader.recv(4096)
            elif reader in self._readers:
                self._readers[reader]()
        return self.count > beyond

    def poke(self) -> None:
        """Make wait() return early."""
        try:
            self._writer.send(b"!")
        except (BlockingIOError, OSError):
            return

    def _heard(self, number: int, frame: FrameType | None) -> None:
        level = self.count + 1 if self._ordered is None else max(1, self._ordered())
        self._count_up(level, signal.Signals(number).name)
        self.poke()

    def _count_up(self, level: int, reason: str) -> None:
        if not level:
            return
        self.told_at = self.told_at or monotonic()
        self.reason = reason
        self.count = max(level, self.count)
        if self._at_once is not None and self.count > 2:
            self._at_once()
        if self._at_once is None and self._ordered is None and self.count > 1:
            # No handler of ours: the main thread may be inside a call that never returns.
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)


def ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN it is not inherited by programs that a body starts."""

"""Signals: the first drains, the second gives work back and ends."""

from __future__ import annotations

import select
import signal
import socket
import threading
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """Wait for a signal, or for an end of one's own accord, without polling.

    Handlers run between two steps of the main thread, which may hold any lock at that moment; so
    they only count, and a byte in a socket wakes whoever waits. The interpreter itself writes one
    when the kernel gives the signal to another thread, as it does right after a SIGCONT: the main
    thread would wait on, and its handlers with it. Outside the main thread there are no handlers,
    and `request()` is the only way.
    """

    def __init__(self) -> None:
        self.count = 0
        self.reason = ""
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._before: dict[int, Any] = {}
        self._fd_before = -1

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._fd_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._before:
            signal.set_wakeup_fd(self._fd_before)
        self._reader.close()
        self._writer.close()

    def request(self, reason: str) -> None:
        """Ask for a drain, from any thread; asking again changes nothing."""
        if not self.count:
            self.reason = reason
            self.count = 1
            self._poke()

    def wait(self, seconds: float | None, *, beyond: int = 0) -> bool:
        """Wait until more than `beyond` requests have come; tell whether they have.

        With a limit it may return earlier; signals that are none of ours do not end the other wait.
        """
        while self.count <= beyond:
            if select.select([self._reader], [], [], seconds)[0]:
                self._reader.recv(64)
            if seconds is not None:
                break
        return self.count > beyond

    def poke(self) -> None:
        """Make wait() return early."""
        self._poke()

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        self.reason = signal.Signals(number).name
        self._poke()

    def _poke(self) -> None:
        try:
            self._writer.send(b"!")
        except (BlockingIOError, OSError):
            return

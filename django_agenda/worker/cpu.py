"""Bodies that compute: each runs in a process of its own, so that it delays nobody.

The supervisor forks these processes, because it has no threads; this side asks for one when there
is work for it, feeds it claims over a socket, one at a time, and kills it when a body does not
heed its time-out. One that dies takes nothing with it but the body that it ran.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue

from django.db import DatabaseError, InterfaceError

from django_agenda.clock import monotonic

from .claim import Claim, Outcome
from .context import ClaimContext
from .control import Control
from .cpu_child import CANCEL, ENDED, RUN
from .cpu_wire import pack_claim, unpack_outcome, unpack_reached
from .pools import Done
from .runner import fenced, timed_out
from .running import Bodies
from .trouble import Pause, Trouble


class CpuBound:
    """Hand claims to as many processes as `most`; they are asked for when they are needed."""

    def __init__(
        self,
        most: int,
        *,
        ask: Callable[[], None],
        bodies: Bodies,
        done: Done,
        blame: Callable[[Claim], None],
        control: Control,
        trouble: Trouble,
        grace: timedelta,
    ) -> None:
        self._most = most
        self._ask = ask
        self._bodies = bodies
        self._done = done
        self._blame = blame
        self._control = control
        self._trouble = trouble
        self._grace = grace
        self._waiting: SimpleQueue[Claim | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._coming = 0
        self._busy = 0
        self._pids: set[int] = set()
        self._closing = False

    def put(self, claim: Claim) -> None:
        """Run it as soon as a process is free."""
        self._waiting.put(claim)
        self._ask_for_more()

    def attach(self, descriptor: int, pid: int) -> None:
        """Use this process, which has the other end of that socket."""
        connection = Connection(descriptor)
        with self._lock:
            self._coming -= 1
            if self._closing:
                connection.close()
                return
            self._pids.add(pid)
        name = f"agenda-cpu-{pid}"
        threading.Thread(target=self._feed, args=(connection, pid), name=name, daemon=True).start()

    def empty(self) -> list[Claim]:
        """Return what was not started, and let each process end after what it runs."""
        left: list[Claim] = []
        with self._lock, suppress(Empty):
            self._closing = True
            while True:
                claim = self._waiting.get_nowait()
                if claim is not None:
                    left.append(claim)
        for _ in list(self._pids):
            self._waiting.put(None)
        return left

    def kill(self) -> None:
        """End what runs now, for it is given back."""
        with self._lock:
            for pid in self._pids:
                _kill(pid)

    def _ask_for_more(self) -> None:
        with self._lock:
            idle = len(self._pids) + self._coming - self._busy
            is_full = len(self._pids) + self._coming >= self._most
            if self._closing or is_full or self._waiting.qsize() <= idle:
                return
            self._coming += 1
        self._ask()

    def _feed(self, connection: Connection, pid: int) -> None:
        with connection:
            while (claim := self._waiting.get()) is not None:
                if connection.poll(0):
                    # It says nothing without being asked: it has ended, and never began this.
                    self._waiting.put(claim)
                    break
                if not self._run(connection, pid, claim):
                    break
        with self._lock:
            self._pids.discard(pid)
        self._ask_for_more()

    def _run(self, connection: Connection, pid: int, claim: Claim) -> bool:
        """Have one body run; tell whether that process can run another."""
        context = self._bodies.begin_elsewhere(claim)
        if context is None:
            return True
        with self._lock:
            self._busy += 1
        outcome: Outcome | None = fenced(claim)
        goes_on = True
        if claim.may_start:
            with _told(connection, context) as tell:
                outcome, goes_on = self._exchange(connection, pid, context, tell)
        was_wanted = self._bodies.end(claim)
        with self._lock:
            self._busy -= 1
        if was_wanted and outcome is not None:
            self._done(outcome)
        elif was_wanted:
            self._bury(claim)
        return goes_on

    def _exchange(
        self, connection: Connection, pid: int, context: ClaimContext, begun: Callable[[], None]
    ) -> tuple[Outcome | None, bool]:
        claim = context.claim
        limit = claim.task.timeout
        patience = None if limit is None else (limit + self._grace).total_seconds()
        try:
            connection.send_bytes(RUN + pack_claim(claim))
            begun()
            ends = None if patience is None else monotonic() + patience
            while connection.poll(None if ends is None else max(0.0, ends - monotonic())):
                word = connection.recv_bytes()
                if word[:1] == ENDED:
                    return unpack_outcome(claim, word[1:])
                context.reached = unpack_reached(word[1:])
        except (EOFError, OSError):
            return None, False
        with self._lock:
            _kill(pid)
        assert patience is not None  # noqa: S101
        where = "It ran in a process of its own, which was killed."
        return timed_out(claim, patience, where), False

    def _bury(self, claim: Claim) -> None:
        """Blame a body for the end of its process, for as long as it takes the database."""
        pause = Pause()
        with self._control:
            while True:
                try:
                    self._blame(claim)
                    return
                except (DatabaseError, InterfaceError) as error:
                    self._control.refresh()
                    self._trouble.met(error)
                    threading.Event().wait(pause.longer())


@contextmanager
def _told(connection: Connection, context: ClaimContext) -> Iterator[Callable[[], None]]:
    """Pass a cancellation on, from the moment at which the body was sent until the block ends."""
    sending = threading.Lock()
    is_over = False

    def cancel() -> None:
        with sending, suppress(OSError):
            if not is_over:
                connection.send_bytes(CANCEL + context.id.encode())

    try:
        yield lambda: context.when_cancelled(cancel)
    finally:
        with sending:
            is_over = True


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)

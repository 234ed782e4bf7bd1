"""The parent of the worker's processes: it forks them, replaces them, and takes orders for them.

It has no threads and does no I/O on a server, so it can always fork, and never hangs. What a
child that died had in its hands is settled by another process of its own, forked for that.
"""

from __future__ import annotations

import gc
import math
import os
import random
import signal
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NoReturn

from django.db import router

from django_agenda.clock import monotonic
from django_agenda.conf import get_settings
from django_agenda.models.execution import Execution
from django_agenda.signals import process_ended

from .child import Child, share, start
from .codes import BROKEN, DRAINED, INTERRUPTED, STUCK
from .fork import fork
from .heed import REASON
from .options import Options
from .post import STOPS, WANTS_CPU
from .pulse import SLOW, touch
from .settle import Remains
from .shutdown import Shutdown
from .undertaker import bury
from .worker import PARTS_TIMEOUT

LOOK_EVERY = 1.0
# A process that lived this long did not die of how it starts.
LIVED = 10.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


@dataclass(slots=True, kw_only=True)
class Seat:
    """Hold a place for one child, whoever fills it now, and when it is filled next."""

    options: Options
    child: Child | None = None
    quick_deaths: int = 0
    not_before: float = field(default_factory=monotonic)
    is_quiet: bool = False
    is_done: bool = False

    def vacate(self) -> None:
        """Have it filled again: at once, but ever later when children die as soon as they live."""
        child, self.child = self.child, None
        # Whoever takes the place of one that was asked to be quiet is so as well.
        self.is_quiet = child is not None and child.board.is_quiet
        is_quick = child is not None and monotonic() - child.born_at < LIVED
        self.quick_deaths = self.quick_deaths + 1 if is_quick else 0
        pause = 0.0
        if self.quick_deaths > 1:
            longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self.quick_deaths - 2))
            pause = random.uniform(longest / 2, longest)
        self.not_before = monotonic() + pause


class Supervisor:
    """Keep so many children at work; see django_agenda.worker for who does what when one dies.

    `lifeline` is a descriptor that becomes readable when whoever watches over this process dies.
    """

    def __init__(self, options: Options, *, version: str = "", lifeline: int | None = None) -> None:
        self._options = options
        self._version = version
        self._settings = get_settings()
        self._using = router.db_for_write(Execution)
        self._shutdown = Shutdown(at_once=self._end_at_once)
        self._ends_itself = options.burst or options.max_tasks is not None
        shares = [share(options, number) for number in range(options.processes)]
        self._seats = [Seat(options=one) for one in shares if one.max_tasks != 0]
        self._children: list[Child] = []
        # Undertakers, and processes that computed for a child that has ended.
        self._ending: set[int] = set()
        self._code = DRAINED
        self._ordered = 0
        self._awake_since = self._looked_at = monotonic()
        if lifeline is not None:
            self._shutdown.listen(lifeline, partial(self._orphaned, lifeline))

    def run(self) -> int:
        """Look after the children until they are to end; return the exit code."""
        before = signal.signal(signal.SIGCHLD, lambda *_: self._shutdown.poke())
        # What is there now is shared with all children, for as long as nobody touches it.
        gc.freeze()
        try:
            with self._shutdown:
                while not self._is_over():
                    self._tick()
                    self._shutdown.wait(self._pause(), beyond=self._shutdown.count)
        finally:
            signal.signal(signal.SIGCHLD, before)
        return self._code

    def _tick(self) -> None:
        self._reap()
        self._obey()
        self._judge()
        self._fill()
        self._beat()

    def _is_over(self) -> bool:
        is_idle = self._ordered or all(seat.is_done for seat in self._seats)
        return bool(is_idle and not self._children and not self._ending)

    def _pause(self) -> float:
        waits = [seat.not_before - monotonic() for seat in self._seats if seat.child is None]
        return max(0.01, min([LOOK_EVERY, *(wait for wait in waits if wait > 0)]))

    def _reap(self) -> None:
        for child in list(self._children):
            for pid in [pid for pid in child.computing if _status(pid) is not None]:
                child.computing.discard(pid)
            status = _status(child.pid)
            if status is not None:
                self._children.remove(child)
                self._ended(child, os.waitstatus_to_exitcode(status))
        self._ending = {pid for pid in self._ending if _status(pid) is None}

    def _ended(self, child: Child, code: int) -> None:
        self._shutdown.forget(child.line)
        child.bury()
        self._ending |= child.computing
        if not child.board.finished:
            self._settle(child.remains())
        if self._ordered and code not in (DRAINED, STUCK):
            self._code = INTERRUPTED
        for seat in self._seats:
            if seat.child is not child:
                continue
            has_had_enough = child.board.finished and not child.board.retires
            seat.is_done = self._ends_itself and has_had_enough
            self._take_quota(seat, child)
            seat.vacate()
        process_ended.send_robust(Supervisor, pid=child.pid, code=code)
        child.close()

    def _take_quota(self, seat: Seat, child: Child) -> None:
        quota = seat.options.max_tasks
        if quota is not None:
            left = quota - child.board.ended
            seat.is_done = seat.is_done or left <= 0
            seat.options = replace(seat.options, max_tasks=left)

    def _settle(self, remains: Remains | None) -> None:
        if remains is not None:
            work = partial(bury, self._using, remains, others=self._close_lines)
            self._ending.add(fork(work))

    def _obey(self) -> None:
        """Pass on what signals asked for; one order each, whoever else has sent signals."""
        level = min(2, self._shutdown.count)
        self._ordered = max(level, self._ordered)
        for child in self._children:
            child.order(self._ordered)

    def _judge(self) -> None:
        moment = monotonic()
        if moment - self._looked_at > 2 * LOOK_EVERY:
            # This process was frozen itself, and the others probably with it.
            self._awake_since = moment
        self._looked_at = moment
        if self._is_overdue():
            for pid in self._ending:
                os.kill(pid, signal.SIGKILL)
        for child in self._children:
            if self._is_overdue():
                child.kill()
            elif child.judge(self._settings, self._awake_since):
                continue
            elif child.board.retires and self._options.max_tasks is None:
                # Its successor starts now; it ends when its bodies have ended.
                for seat in self._seats:
                    if seat.child is child:
                        seat.vacate()

    def _is_overdue(self) -> bool:
        """Tell whether everything should have ended by itself long ago."""
        told_at = self._shutdown.told_at
        if told_at is None:
            return False
        parts = 2 * PARTS_TIMEOUT
        patience = self._options.shutdown_timeout.total_seconds() + parts
        return monotonic() > told_at + patience

    def _fill(self) -> None:
        if self._ordered or (self._ends_itself and self._ending):
            # What is given back must be there before a child looks whether anything is due.
            return
        for seat in self._seats:
            if seat.child is None and not seat.is_done and monotonic() >= seat.not_before:
                seat.child = child = start(
                    seat.options,
                    version=self._version,
                    others=self._close_lines,
                    is_quiet=seat.is_quiet,
                )
                self._children.append(child)
                self._shutdown.listen(child.line, partial(self._hear, child))

    def _hear(self, child: Child) -> None:
        """Read what a child says; that it retires stands on its board."""
        try:
            words = child.line.recv(4096)
        except OSError:
            words = b""
        if not words:
            self._shutdown.forget(child.line)
        if STOPS in words:
            self._shutdown.tell(REASON)
        for _ in range(words.count(WANTS_CPU)):
            child.compute(self._close_lines)

    def _beat(self) -> None:
        path = self._options.heartbeat_file
        if path is None:
            return
        slowest = min((child.board.progress_at for child in self._children), default=-math.inf)
        if monotonic() - slowest < SLOW:
            touch(path)

    def _close_lines(self) -> None:
        """Let go, in a child, of what leads to the others: they watch for it to break."""
        for child in self._children:
            child.line.close()

    def _orphaned(self, lifeline: int) -> None:
        self._shutdown.forget(lifeline)
        self._shutdown.tell("whoever watched over it is gone")

    def _end_at_once(self) -> NoReturn:
        for child in self._children:
            child.kill()
        os._exit(INTERRUPTED)


def _status(pid: int) -> int | None:
    """Return the wait status of a child that has ended, and None while it lives."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return BROKEN << 8
    return status if found else None

"""One process that the supervisor has forked, as the supervisor sees it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from django_agenda.clock import monotonic
from django_agenda.conf import Settings

from .board import Board, Token
from .cpu_child import compute
from .fork import fork
from .options import Options
from .post import Post
from .settle import Remains
from .worker import WorkerProcess

# A process that holds the interpreter cannot act on its own; it gets this much longer to do so.
FROZEN = 3.0


@dataclass(slots=True, kw_only=True)
class Child:
    """Hold a process and the supervisor's ends of its board and its line.

    `stuck` is why the supervisor had to kill it, if it had to; `computing` are the processes that
    it feeds.
    """

    options: Options
    board: Board
    line: socket.socket
    born_at: float = field(default_factory=monotonic)
    pid: int = 0
    stuck: dict[Token, float] = field(default_factory=dict)
    computing: set[int] = field(default_factory=set)

    def order(self, level: int) -> None:
        """Tell it to drain (1) or to give back and end (2)."""
        if self.board.order < level:
            self.board.order = level
            self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; it may have ended already."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, and what computes for it."""
        self.send(signal.SIGKILL)
        self.bury()

    def bury(self) -> None:
        """End what computes for it: it has ended itself."""
        for pid in self.computing:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def judge(self, settings: Settings, since: float) -> bool:
        """Kill it when it has been frozen since that moment, and tell whether it was.

        It writes off what is stuck by itself, unless that body holds the interpreter: then
        nothing moves in the whole process, and the other bodies in it are innocent. One that has
        been frozen for so long that its lease has lapsed is of no use to anybody.
        """
        moment = monotonic()
        silent = moment - max(since, self.board.alive_at)
        if silent < FROZEN:
            return False
        late = [slot for slot in self.board.running() if 0.0 < slot.ends < moment - FROZEN]
        if not late and silent < settings.WORKER_TTL.total_seconds():
            return False
        self.stuck = {slot.token: moment - slot.ends for slot in late}
        self.kill()
        return True

    def remains(self) -> Remains | None:
        """Return what is to be settled after its death; None when it never had anything."""
        worker = self.board.worker
        if worker is None:
            return None
        begun = self.board.remembered()
        if not self.stuck:
            begun |= {slot.token for slot in self.board.running()}
        return Remains(worker=worker, begun=begun, stuck=self.stuck)

    def compute(self, others: Callable[[], None]) -> int:
        """Fork a process that computes for it, and hand it the other end of its socket."""
        ours, theirs = socket.socketpair()
        name = self.options.worker_id or f"{socket.gethostname()}:{self.pid}"
        limit = self.options.max_memory

        def work() -> int:
            others()
            ours.close()
            return compute(theirs.detach(), name, limit)

        with ours, theirs:
            pid = fork(work)
            with suppress(OSError):  # it has ended meanwhile; so will the new one
                socket.send_fds(self.line, [pid.to_bytes(4)], [ours.fileno()])
        self.computing.add(pid)
        return pid

    def close(self) -> None:
        """Let go of what led to it."""
        self.line.close()
        self.board.close()


def start(
    options: Options, *, version: str, others: Callable[[], None], is_quiet: bool = False
) -> Child:
    """Fork a worker; `others` closes, in it, what leads from the supervisor to other processes."""
    board = Board(options.concurrency)
    board.is_quiet = is_quiet
    ours, theirs = socket.socketpair()

    def work() -> int:
        others()
        ours.close()
        post = Post(board=board, line=theirs)
        return WorkerProcess(options, version=version, post=post).run()

    child = Child(options=options, board=board, line=ours)
    with theirs:
        child.pid = fork(work)
    return child


def share(options: Options, number: int) -> Options:
    """Return the options of the child with that number, from 0: its name, quota and processes."""
    count = options.processes
    name, quota = options.worker_id, options.max_tasks
    if name is not None and count > 1:
        name = f"{name}-{number + 1}"
    if quota is not None:
        quota = quota // count + (number < quota % count)
    cpu = -(-options.cpu_processes // count)
    return replace(options, worker_id=name, max_tasks=quota, cpu_processes=cpu, processes=1)

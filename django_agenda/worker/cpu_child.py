"""The other side of CpuBound: a process that runs one body after the other, and nothing else."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue

from .claim import Claim
from .codes import DRAINED
from .context import ClaimContext
from .cpu_wire import pack_outcome, pack_reached, unpack_claim
from .deadline import Deadlines
from .pulse import memory
from .runner import run
from .shutdown import SIGNALS, ignore

# The first byte of what the worker says, and of what it is told.
RUN, CANCEL = b"r", b"c"
ENDED, REACHED = b"e", b"p"
_REPORT_EVERY = 1.0

Work = tuple[Claim, ClaimContext]


def compute(descriptor: int, worker_name: str, max_memory: int | None) -> int:
    """Run bodies until the socket is closed, or the memory is used up; return the exit code."""
    for number in SIGNALS:
        # The worker decides: it lets this body end, or kills this process.
        signal.signal(number, ignore)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    waiting: SimpleQueue[Work] = SimpleQueue()
    connection = Connection(descriptor)
    line = _Line(connection)
    threading.Thread(target=_listen, args=(connection, line, waiting), daemon=True).start()
    deadlines = Deadlines()
    deadlines.start()
    goes_on = True
    while goes_on:
        claim, context = waiting.get()
        outcome = run(claim, worker_name, deadlines, context)
        goes_on = max_memory is None or memory() <= max_memory
        line.end(context, ENDED + pack_outcome(outcome, goes_on=goes_on))
    return DRAINED


class _Line:
    """Tell the worker how far a body is, and then how it ended: nothing comes after that."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._ended: ClaimContext | None = None

    def end(self, context: ClaimContext, word: bytes) -> None:
        """Say how it ended."""
        with self._sending:
            self._ended = context
            self._connection.send_bytes(word)

    def report(self, context: ClaimContext) -> bool:
        """Say how far it is, if that is news; tell whether it still runs."""
        with self._sending:
            if context is self._ended:
                return False
            reached = context.reached
            if reached is not None and reached is not context.stored:
                self._connection.send_bytes(REACHED + pack_reached(reached))
                context.stored = reached
        return True


def _listen(connection: Connection, line: _Line, waiting: SimpleQueue[Work]) -> None:
    """Take what the worker says; end with it, for what runs here is not this process's then."""
    running: ClaimContext | None = None
    while True:
        try:
            while running is not None and not connection.poll(_REPORT_EVERY):
                running = running if line.report(running) else None
            word = connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(DRAINED)
        if word[:1] == RUN:
            claim = unpack_claim(word[1:])
            running = ClaimContext(claim)
            waiting.put((claim, running))
        elif running is not None and running.id == word[1:].decode():
            running.cancel()

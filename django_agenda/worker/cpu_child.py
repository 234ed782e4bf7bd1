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
from .cpu_wire import pack_outcome, unpack_claim
from .deadline import Deadlines
from .pulse import memory
from .runner import run
from .shutdown import SIGNALS, ignore

# The first byte of what the worker says.
RUN, CANCEL = b"r", b"c"

Work = tuple[Claim, ClaimContext]


def compute(descriptor: int, worker_name: str, max_memory: int | None) -> int:
    """Run bodies until the socket is closed, or the memory is used up; return the exit code."""
    for number in SIGNALS:
        # The worker decides: it lets this body end, or kills this process.
        signal.signal(number, ignore)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    waiting: SimpleQueue[Work] = SimpleQueue()
    connection = Connection(descriptor)
    threading.Thread(target=_listen, args=(connection, waiting), daemon=True).start()
    deadlines = Deadlines()
    deadlines.start()
    goes_on = True
    while goes_on:
        claim, context = waiting.get()
        outcome = run(claim, worker_name, deadlines, context)
        goes_on = max_memory is None or memory() <= max_memory
        connection.send_bytes(pack_outcome(outcome, goes_on=goes_on))
    return DRAINED


def _listen(connection: Connection, waiting: SimpleQueue[Work]) -> None:
    """Take what the worker says; end with it, for what runs here is not this process's then."""
    running: ClaimContext | None = None
    while True:
        try:
            word = connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(DRAINED)
        if word[:1] == RUN:
            claim = unpack_claim(word[1:])
            running = ClaimContext(claim)
            waiting.put((claim, running))
        elif running is not None and running.id == word[1:].decode():
            running.cancel()

"""The other side of CpuBound: a process that runs one body after the other, and nothing else."""

from __future__ import annotations

import os
import select
import signal
import threading
from multiprocessing.connection import Connection

from .codes import DRAINED
from .cpu_wire import pack_outcome, unpack_claim
from .deadline import Deadlines
from .runner import run
from .shutdown import SIGNALS, ignore
from .watchdog import memory


def compute(descriptor: int, worker_name: str, max_memory: int | None) -> int:
    """Run bodies until the socket is closed, or the memory is used up; return the exit code."""
    for number in SIGNALS:
        # The worker decides: it lets this body end, or kills this process.
        signal.signal(number, ignore)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_the_worker, args=(descriptor,), daemon=True).start()
    deadlines = Deadlines()
    deadlines.start()
    with Connection(descriptor) as connection:
        goes_on = True
        while goes_on:
            try:
                claim = unpack_claim(connection.recv_bytes())
            except EOFError:
                break
            outcome = run(claim, worker_name, deadlines)
            goes_on = max_memory is None or memory() <= max_memory
            connection.send_bytes(pack_outcome(outcome, goes_on=goes_on))
    return DRAINED


def _end_with_the_worker(descriptor: int) -> None:
    """Wait until nobody has the other end: what runs here then is not this process's any more."""
    poll = select.poll()
    poll.register(descriptor, 0)
    poll.poll()
    os._exit(DRAINED)

"""Fork a process that shares nothing with this one but what it is given."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.db import connections

from django_agenda.broker.connection import forget_clients

from .codes import BROKEN
from .shutdown import SIGNALS


def fork(work: Callable[[], int]) -> int:
    """Run `work` in a child, whose exit code is what it returns; return the child's process id.

    The caller must have no threads. SIGTERM and SIGINT are held back in the child until it has
    handlers of its own; Shutdown lets them through.
    """
    forget_connections()
    _flush()
    held_back = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            _live(work)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held_back)
    return pid


def forget_connections() -> None:
    """Close what two processes must not share: databases, their pools, and Redis."""
    connections.close_all()
    for connection in connections.all(initialized_only=True):
        close_pool: Any = getattr(connection, "close_pool", None)
        if close_pool is not None:
            close_pool()
    forget_clients()


def _live(work: Callable[[], int]) -> None:
    code = BROKEN
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        code = work()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        # Not sys.exit(): what the parent has registered for its own end is none of ours, and
        # threads that are stuck must not hold the end up.
        with suppress(Exception):
            logging.shutdown()
        _flush()
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()

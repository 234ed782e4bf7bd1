"""Traps: what befalls a process of the tests at one place of the engine, once.

The engine knows nothing of them. A trap replaces an attribute of one of its modules or classes by
one that acts at the n-th call, or at the first commit inside that call, and does nothing else.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from django_agenda.exceptions import BrokerUnavailable
from tests.waiting import wait_until

KILLED = 137
_ERRORS: dict[str, Exception] = {
    "database": OperationalError("server closed the connection unexpectedly"),
    "broker": BrokerUnavailable("ConnectionError: Connection closed by server."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """Say where, what, and at which call.

    `at` is "module:attribute" or "module:Class.method". The acts:

        exit     the process ends as by SIGKILL, before or after the thing was done
        freeze   the process is stopped, before or after, until thaw() is called
        error    an error is raised, and the thing was not done
        lost     the thing was done, and an error is raised: its answer was lost
        hang     this thread never comes back
    """

    at: str
    act: str
    is_after: bool = False
    is_commit: bool = False
    number: int = 1
    error: str = "database"


def set_trap(trap: Trap, mark: str) -> None:
    """Set it in this process; the file `mark` is written when it acts."""
    holder, name = _place(trap.at)
    real: Callable[..., Any] = getattr(holder, name)
    calls = count(1)
    act = _acting(trap, mark)
    if not trap.is_commit:

        @wraps(real)
        def trapped(*args: Any, **kwargs: Any) -> Any:
            step = partial(real, *args, **kwargs)
            return act(step) if next(calls) == trap.number else step()

        setattr(holder, name, trapped)
        return

    inside = threading.local()

    @wraps(real)
    def entered(*args: Any, **kwargs: Any) -> Any:
        inside.waits = next(calls) == trap.number
        try:
            return real(*args, **kwargs)
        finally:
            inside.waits = False

    commit: Callable[[Any], Any] = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]

    def committed(connection: BaseDatabaseWrapper) -> Any:
        waits, inside.waits = getattr(inside, "waits", False), False
        step = partial(commit, connection)
        return act(step) if waits else step()

    setattr(holder, name, entered)
    BaseDatabaseWrapper._commit = committed  # type: ignore[attr-defined]


def thaw(pid: int, mark: str) -> None:
    """Let a frozen process go on."""
    Path(f"{mark}.thawed").touch()
    os.kill(pid, signal.SIGCONT)


def _acting(trap: Trap, mark: str) -> Callable[[Callable[[], Any]], Any]:
    def act(step: Callable[[], Any]) -> Any:
        result = step() if trap.is_after or trap.act == "lost" else None
        Path(mark).touch()
        match trap.act:
            case "exit":
                os._exit(KILLED)
            case "freeze":
                os.kill(os.getpid(), signal.SIGSTOP)
                # Other threads are stopped a moment before this one is, or after it.
                wait_until(Path(f"{mark}.thawed").exists, 60)
            case "hang":
                threading.Event().wait()
            case "error" | "lost":
                raise _ERRORS[trap.error]
        return result if trap.is_after else step()

    return act


def _place(at: str) -> tuple[Any, str]:
    module, _, path = at.partition(":")
    *outer, name = path.split(".")
    holder: Any = import_module(module)
    for part in outer:
        holder = getattr(holder, part)
    return holder, name

"""Processes that are forked from one that has imported everything: each takes milliseconds."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings

if not apps.ready:
    django.setup()

from django_agenda import Agenda, Call
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models import Batch, Schedule
from django_agenda.worker.options import Options
from django_agenda.worker.worker import WorkerProcess

from . import bodies
from .trap import Trap, set_trap, thaw

COUNT = 12
HOUR = timedelta(hours=1)
QUICK = {
    "MAX_BLOCK": 0.05,
    "HEARTBEAT": 0.1,
    "CARETAKER_INTERVAL": 0.05,
    "ENQUEUE_GRACE": 0.001,
    "CHUNK_SIZE": 5,
}

_context = get_context("forkserver")
_context.set_forkserver_preload([__name__])


class Child:
    """Hold a process: it works, scatters or cancels, and may run into traps."""

    def __init__(
        self, role: str, folder: Path, traps: Sequence[Trap] = (), task: str = "note", **given: Any
    ) -> None:
        self._mark = str(mark_in(folder))
        args = (role, str(folder), tuple(traps), task, QUICK | given)
        self._process = _context.Process(target=_run, args=args)
        self._process.start()

    @property
    def is_running(self) -> bool:
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        assert self._process.pid
        os.kill(self._process.pid, number)

    def thaw(self) -> None:
        assert self._process.pid
        thaw(self._process.pid, self._mark)

    def end(self, timeout: float = 20) -> int:
        """Wait for its end, and return its exit code."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, "It does not end."
        return self._process.exitcode

    def close(self) -> None:
        if self.is_running:
            self._process.kill()
            self._process.join()
        self._process.close()


def ledger_in(folder: Path) -> Path:
    return folder / "ledger"


def mark_in(folder: Path) -> Path:
    """Return the file that is there once a trap has acted."""
    return folder / "mark"


def scatter(folder: Path, task: str) -> Batch:
    """Scatter over an hour that has passed: everything is due."""
    ledger, mark = str(ledger_in(folder)), str(mark_in(folder))
    more = (mark,) if task == "stop_the_worker" else ()
    calls = [Call(getattr(bodies, task), (ledger, n, *more)) for n in range(COUNT)]
    return Agenda(calls).scatter(start=now() - 2 * HOUR, over=HOUR, on_complete=bodies.note_end)


def let_tick(folder: Path) -> None:
    """Define schedules whose tick has come, and whose next one is far away."""
    for number in range(COUNT):
        Schedule.objects.interval(
            bodies.note,
            HOUR,
            args=[str(ledger_in(folder)), number],
            starts_at=now() - HOUR * 1.5,
        )
    Schedule.objects.update(next_at=now() - HOUR / 4)


def _run(
    role: str, folder: str, traps: Sequence[Trap], task: str, overrides: dict[str, Any]
) -> None:
    settings.DJANGO_AGENDA = {**settings.DJANGO_AGENDA, **overrides}
    get_settings.cache_clear()
    for trap in traps:
        set_trap(trap, str(mark_in(Path(folder))))
    code = 0
    faulthandler.dump_traceback_later(15)  # says why, should it not end
    match role:
        case "worker":
            code = WorkerProcess(
                Options(concurrency=1, shutdown_timeout=timedelta(seconds=5))
            ).run()
        case "scatter":
            scatter(Path(folder), task)
        case "cancel":
            Batch.objects.get().cancel()
    os._exit(code)

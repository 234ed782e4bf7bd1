"""Store outcomes: one transaction for as many as wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connections,
)

from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.worker import Worker
from django_agenda.scheduling.enqueue import enqueue

from .claim import Outcome
from .record import announce, record, unstorable
from .trouble import DATABASE, Pause, Trouble

MOST_AT_ONCE = 500
MOST_BYTES = 1024 * 1024


class Recorder(threading.Thread):
    """Take outcomes from every pool, and keep them until the database has them."""

    def __init__(self, using: str, worker: Callable[[], Worker], trouble: Trouble) -> None:
        super().__init__(name="agenda-recorder", daemon=True)
        self._using = using
        self._worker = worker
        self._trouble = trouble
        self._waiting: SimpleQueue[Outcome | None] = SimpleQueue()
        self._counting = threading.Lock()
        self._put = 0
        self._stored = 0
        self._hurry = threading.Event()
        self.succeeded = 0
        self.failed = 0

    @property
    def unsaved(self) -> int:
        """Return how many outcomes the database has not yet."""
        return self._put - self._stored

    def put(self, outcome: Outcome) -> None:
        """Store it soon."""
        with self._counting:
            self._put += 1
        self._waiting.put(outcome)

    def stop(self, seconds: float) -> bool:
        """Store what waits, then end; tell whether all was stored in that time."""
        self._waiting.put(None)
        self.join(seconds)
        return self.unsaved == 0

    def give_up(self) -> None:
        """Do not wait for a database that is down any longer."""
        self._hurry.set()

    def run(self) -> None:
        """Store all that waits while the last commit ran; then all that waits now; and so on."""
        is_last = False
        try:
            while not is_last:
                outcomes, is_last = self._gather()
                self._keep(outcomes)
        finally:
            connections.close_all()

    def _gather(self) -> tuple[list[Outcome], bool]:
        outcomes: list[Outcome] = []
        size = 0
        outcome = self._waiting.get()
        while outcome is not None:
            outcomes.append(outcome)
            size += len(outcome.return_value or "") + len(outcome.traceback)
            if len(outcomes) == MOST_AT_ONCE or size > MOST_BYTES:
                return outcomes, False
            try:
                outcome = self._waiting.get_nowait()
            except Empty:
                return outcomes, False
        return outcomes, True

    def _keep(self, outcomes: Sequence[Outcome]) -> None:
        """Store them, however long it takes; halve them when the data of one is refused."""
        pause = Pause()
        while outcomes and not self._hurry.is_set():
            try:
                self._store(outcomes)
            except (OperationalError, InterfaceError) as error:
                close_old_connections()
                self._trouble.met(error)
                self._hurry.wait(pause.longer())
            except (DatabaseError, ValueError, TypeError, OverflowError) as error:
                self._divide(outcomes, error)
                return
            else:
                self._trouble.over(DATABASE)
                return

    def _divide(self, outcomes: Sequence[Outcome], error: Exception) -> None:
        if len(outcomes) == 1:
            self._keep([unstorable(outcomes[0], error)])
            return
        half = len(outcomes) // 2
        self._keep(outcomes[:half])
        self._keep(outcomes[half:])

    def _store(self, outcomes: Sequence[Outcome]) -> None:
        close_old_connections()
        result = record(self._using, self._worker(), outcomes)
        with suppress(BrokerUnavailable):  # the overdue scan finds them
            enqueue(result.entries)
        announce(outcomes, result)
        self._count(outcomes)
        self._stored += len(outcomes)

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        good = sum(outcome.status == "succeeded" for outcome in outcomes)
        self.succeeded += good
        self.failed += sum(outcome.status == "failed" for outcome in outcomes)

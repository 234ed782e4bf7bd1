"""A process that scatters, as a web server does, while the faults go on around it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from django.db import Error, close_old_connections, connections

from django_agenda import Agenda
from django_agenda.clock import monotonic
from django_agenda.models import Batch, Execution

from . import tasks

T = TypeVar("T")

SIZE = 500
PAUSE_S = 0.1
# What a busy machine cannot run in time is its own fault, and is not added to.
MOST_WAITING = SIZE


class Producer(threading.Thread):
    """Scatter `count` calls over `seconds`, in batches; what fails is tried again by its key."""

    def __init__(self, count: int, seconds: float) -> None:
        super().__init__(name="producer", daemon=True)
        self._count = count
        self._seconds = seconds
        self._never = threading.Event()
        self.promised: dict[int, int] = {}
        """The batches that a scatter has returned, and how many calls each was given."""
        self.error: BaseException | None = None

    def run(self) -> None:
        began = monotonic()
        sizes = [min(SIZE, self._count - first) for first in range(0, self._count, SIZE)]
        every = self._seconds / len(sizes)
        try:
            for number, size in enumerate(sizes):
                self._never.wait(max(0.0, began + number * every - monotonic()))
                while persist(Execution.objects.live().count) > MOST_WAITING:
                    self._never.wait(PAUSE_S)
                batch = persist(partial(self._scatter, number, size, every))
                self.promised[batch.pk] = size
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()

    def _scatter(self, number: int, size: int, every: float) -> Batch:
        agenda = Agenda(tasks.calls(size))
        return agenda.scatter(
            over=timedelta(seconds=every * 1.5),
            key=f"batch {number}",
            on_failure=tasks.finished,
            on_complete=tasks.finished,
        )


def persist(step: Callable[[], T], seconds: float = 60) -> T:
    """Do it until the database answers."""
    deadline = monotonic() + seconds
    while True:
        try:
            return step()
        except Error:
            if monotonic() > deadline:
                raise
            for connection in connections.all(initialized_only=True):
                connection.close_if_unusable_or_obsolete()
            close_old_connections()
            threading.Event().wait(PAUSE_S)

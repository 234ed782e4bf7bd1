"""Say that this worker lives, by the database's clock."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from django.db import close_old_connections
from django.db.models import QuerySet
from django.db.models.functions import Now

from django_agenda.clock import monotonic
from django_agenda.conf import Settings
from django_agenda.models.identity import uuid7
from django_agenda.models.worker import Worker

from .trouble import DATABASE, Trouble

SELF_FENCE = 0.8


class Heart:
    """Keep the worker's row, whose `beat_at` is the lease on everything it has claimed."""

    def __init__(self, using: str, worker: Worker, settings: Settings, trouble: Trouble) -> None:
        self._using = using
        self.worker = worker
        self._interval = settings.HEARTBEAT.total_seconds()
        self._trusted = settings.WORKER_TTL.total_seconds() * SELF_FENCE
        self._trouble = trouble
        self._beat_at = monotonic()
        self._grace_until = 0.0
        self.counts: Callable[[], dict[str, int]] = dict
        self.note_silence: Callable[[float], None] = lambda _: None

    @property
    def is_trusted(self) -> bool:
        """Tell whether no other worker can have declared this one lost yet."""
        return monotonic() - self._beat_at < self._trusted

    @property
    def may_judge(self) -> bool:
        """Tell whether other workers' silence means anything.

        After an outage of the database everybody was silent; they get time to beat again.
        """
        return monotonic() > self._grace_until

    def register(self) -> None:
        """Write the row of a new incarnation."""
        began = monotonic()
        self.worker.pk = uuid7()
        self.worker.save(using=self._using, force_insert=True)
        self._rows().update(started_at=Now(), beat_at=Now())
        self._beat_at = began
        self._trouble.over(DATABASE)

    def tick(self) -> float:
        """Beat once; a worker that was declared lost begins a new incarnation."""
        close_old_connections()
        began = monotonic()
        if began - self._beat_at > self._interval * 2:
            self._grace_until = began + self._interval * 3
        living = self._rows().filter(status__in=Worker.LIVING)
        answered = living.update(beat_at=Now(), **self.counts())
        self.note_silence(began - self._beat_at)
        if answered:
            self._beat_at = began
            self._trouble.over(DATABASE)
        else:
            self.register()
        return self._interval

    def drain(self) -> None:
        """Show that it takes no more."""
        self._rows().update(status=Worker.Status.DRAINING)

    def stop(self) -> None:
        """Show that it has ended, with nothing left in its hands."""
        self._rows().update(
            status=Worker.Status.STOPPED, stopped_at=Now(), beat_at=Now(), **self.counts()
        )

    def _rows(self) -> QuerySet[Worker]:
        return Worker.objects.using(self._using).filter(pk=self.worker.pk)


def new_worker(name: str | None, *, queues: str, concurrency: int, version: str) -> Worker:
    """Return the row of this process, not yet saved; its name is host:pid unless one is given."""
    hostname = socket.gethostname()[:255]
    pid = os.getpid()
    return Worker(
        name=name or f"{hostname[:100]}:{pid}",
        hostname=hostname,
        pid=pid,
        queues=queues,
        concurrency=concurrency,
        version=version,
    )

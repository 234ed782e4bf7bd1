"""Say that this worker lives, by the database's clock."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from copy import copy
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now

from django_agenda.clock import correct, monotonic, now
from django_agenda.conf import Settings
from django_agenda.models.identity import uuid7
from django_agenda.models.worker import Worker

from .fleet import resign, sign
from .lease import Lease
from .load_line import LoadLine
from .pulse import memory
from .trouble import DATABASE, Trouble
from .without_redis import database_now

SELF_FENCE = 0.8
# A clock that differs by less, beyond the round trip of asking, is as good as any.
MOST_SKEW = timedelta(seconds=1)


class Heart:
    """Keep the worker's row, whose `beat_at` is the lease on everything it has claimed."""

    def __init__(self, using: str, worker: Worker, settings: Settings, trouble: Trouble) -> None:
        self._using = using
        self._interval = settings.HEARTBEAT.total_seconds()
        self._ttl = settings.WORKER_TTL
        self._trusted = settings.WORKER_TTL.total_seconds() * SELF_FENCE
        self._trouble = trouble
        self.lease = Lease(worker, self._trusted)
        self._beat_at = monotonic()
        self._requested = worker.requested
        self._load = LoadLine()
        self.counts: Callable[[], dict[str, int]] = dict
        self.heed: Callable[[str], None] = lambda _: None
        self.note_silence: Callable[[float], None] = lambda _: None

    @property
    def worker(self) -> Worker:
        """Return the present incarnation."""
        return self.lease.worker

    @property
    def is_trusted(self) -> bool:
        """Tell whether no other worker can have declared this one lost yet."""
        return self.lease.is_trusted

    @property
    def is_quiet(self) -> bool:
        """Tell whether somebody wants that this worker claims nothing new."""
        return bool(self._requested)

    def register(self) -> None:
        """Write the row of a new incarnation; the one before, if any, may start nothing more."""
        self._agree_on_the_time(lambda: database_now(self._using))
        began = monotonic()
        worker = copy(self.worker)
        worker.pk = uuid7()
        worker.save(using=self._using, force_insert=True)
        # Receivers of signals get it, in threads that do not know our alias.
        worker._state.db = None
        self._rows(worker).update(started_at=Now(), beat_at=Now())
        sign(self._using, self._ttl)
        self.lease.void()
        self.lease = Lease(worker, self._trusted)
        self.lease.renew(began)
        self._trouble.over(DATABASE, began)

    def tick(self) -> float:
        """Beat once; a worker that was declared lost begins a new incarnation."""
        began = monotonic()
        living = self._rows(self.worker).filter(status__in=Worker.LIVING)
        counts = self.counts()
        load = self._load.note(counts, now())
        answered = living.update(beat_at=Now(), memory=memory(), load=load, **counts)
        self.note_silence(began - self._beat_at)
        self._beat_at = began
        if answered:
            self.lease.renew(began)
            sign(self._using, self._ttl)
            self._trouble.over(DATABASE, began)
            self._look()
        else:
            self.register()
        return self._interval

    def drain(self) -> None:
        """Show that it takes no more."""
        self.worker.status = Worker.Status.DRAINING
        # Whoever was declared lost stays so: as a living one its row would keep what it claimed.
        living = self._rows(self.worker).filter(status__in=Worker.LIVING)
        living.update(status=Worker.Status.DRAINING)
        resign(self._using, self.worker.pk)

    def stop(self) -> None:
        """Show that it has ended, with nothing left in its hands."""
        self._rows(self.worker).update(
            status=Worker.Status.STOPPED, stopped_at=Now(), beat_at=Now(), **self.counts()
        )

    def _look(self) -> None:
        """Read clock and row in one statement, and obey: what is asked for costs no other."""
        asked: list[str] = []

        def read() -> datetime:
            found = self._rows(self.worker).annotate(moment=Now())
            for moment, requested in found.values_list("moment", "requested"):
                asked.append(requested)
                return moment
            return now()

        self._agree_on_the_time(read)
        for requested in asked:
            self._obey(requested)

    def _obey(self, requested: str) -> None:
        if requested == self._requested:
            return
        if requested == Worker.Request.QUIET:
            # Before the row says so: who is shown as quiet claims nothing more.
            self._requested = requested
            self._show(Worker.Status.QUIET)
        elif not requested:
            self._show(Worker.Status.ACTIVE)
        self._requested = self.worker.requested = requested
        self.heed(requested)

    def _show(self, status: Worker.Status) -> None:
        at_work = self._rows(self.worker).filter(status__in=Worker.AT_WORK)
        at_work.update(status=status)
        self.worker.status = status

    def _agree_on_the_time(self, read: Callable[[], datetime]) -> None:
        """Go by the database's clock when the machine's own is wrong.

        What is due is the broker's to say; but retries, callbacks and expiry go by this clock.
        """
        began, before = monotonic(), now()
        skew = read() - before
        round_trip = timedelta(seconds=monotonic() - began)
        if not -MOST_SKEW <= skew <= MOST_SKEW + round_trip:
            correct(skew)

    def _rows(self, worker: Worker) -> QuerySet[Worker]:
        return Worker.objects.using(self._using).filter(pk=worker.pk)


def new_worker(
    name: str | None, *, queues: str, concurrency: int, version: str, is_quiet: bool = False
) -> Worker:
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
        status=Worker.Status.QUIET if is_quiet else Worker.Status.ACTIVE,
        requested=Worker.Request.QUIET if is_quiet else "",
    )

"""The workers of an overview: those that live, and those that ended within an hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import charts, wording
from django_agenda.admin.obstacles import Crew
from django_agenda.admin.states import State
from django_agenda.admin.worker import state_of, wish_of
from django_agenda.conf import get_settings
from django_agenda.models.worker import Worker

SHOWN = 12
_MOST = 500
_RECENTLY = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """Hold one worker as it is shown."""

    name: str
    url: str
    host: str
    state: State
    queues: str
    bar: SafeString
    load: str
    beat: str
    wish: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRows:
    """Hold the first workers, how many more there are, and what they can do together."""

    rows: list[WorkerRow]
    more: int
    crew: Crew


def read_workers(
    rows: QuerySet[Worker], moment: datetime, url_of: Callable[[Worker], str]
) -> WorkerRows:
    """Read them in one statement, the living ones first."""
    since = moment - _RECENTLY
    is_recent = Q(status__in=Worker.LIVING) | Q(stopped_at__gte=since) | Q(beat_at__gte=since)
    found = list(rows.filter(is_recent).order_by("status", "name", "pk")[:_MOST])
    silent_since = moment - get_settings().WORKER_TTL
    living = [one for one in found if one.status in Worker.LIVING and one.beat_at >= silent_since]
    at_work = [one for one in living if one.status == Worker.Status.ACTIVE]
    names = {one.pk for one in living}
    shown = [*living, *(one for one in found if one.pk not in names)]
    return WorkerRows(
        rows=[_row(worker, moment, url_of) for worker in shown[:SHOWN]],
        more=max(len(shown) - SHOWN, 0),
        crew=Crew(
            living=len(living),
            at_work=len(at_work),
            capacity=sum(one.concurrency for one in at_work),
        ),
    )


def _row(worker: Worker, moment: datetime, url_of: Callable[[Worker], str]) -> WorkerRow:
    running = worker.running if worker.status in Worker.LIVING else 0
    load = f"{running} / {worker.concurrency}"
    share = {"running": min(running, worker.concurrency)}
    return WorkerRow(
        name=worker.name,
        url=url_of(worker),
        host=f"{worker.hostname}:{worker.pid}",
        state=state_of(worker, moment),
        queues=_("all") if worker.queues == "*" else worker.queues,
        bar=charts.bar(share, worker.concurrency, load),
        load=load,
        beat=wording.distance(worker.beat_at, moment),
        wish=wish_of(worker, moment),
    )

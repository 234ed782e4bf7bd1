"""The workers of an overview: those that live, and those that ended within an hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import charts, wording
from django_agenda.admin.obstacles import Crew
from django_agenda.admin.states import State
from django_agenda.admin.workers.states import recent_workers, state_of, wish_of
from django_agenda.models.worker import Worker

SHOWN = 12
_ENDED = 3


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
    living, ended = recent_workers(rows.defer("load"), moment)
    at_work = [one for one in living if one.status == Worker.Status.ACTIVE]
    shown = [*living, *ended[:_ENDED]][:SHOWN]
    return WorkerRows(
        rows=[_row(worker, moment, url_of) for worker in shown],
        more=len(living) + len(ended) - len(shown),
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

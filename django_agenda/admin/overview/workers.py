"""The workers of an overview: those that live, and those that ended within an hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import charts, wording
from django_agenda.admin.obstacles import Crew, crew_of
from django_agenda.admin.states import SILENT, WORKERS, State
from django_agenda.admin.workers.hands import (
    Hands,
    all_hands,
    hands_of,
    lost_words,
    silent_words,
    words_of,
)
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
    """Hold the first workers, how many more there are, what they can do together, and hold."""

    rows: list[WorkerRow]
    more: int
    crew: Crew
    hands: Hands
    slots: int
    silent: list[str]


def read_workers(
    rows: QuerySet[Worker],
    claimed: Mapping[object, int],
    moment: datetime,
    url_of: Callable[[Worker], str],
) -> WorkerRows:
    """Read them in one statement, the living ones first; `claimed` is how much, by their ids."""
    living, ended = recent_workers(rows.defer("load"), moment)
    shown = [*living, *ended[:_ENDED]][:SHOWN]
    return WorkerRows(
        rows=[_row(one, claimed.get(one.pk, 0), moment, url_of) for one in shown],
        more=len(living) + len(ended) - len(shown),
        crew=crew_of([(one.status, one.concurrency) for one in living]),
        hands=all_hands(claimed, living),
        slots=sum(one.concurrency for one in living),
        silent=silent_words([one for one in living if state_of(one, moment) is SILENT], claimed),
    )


def _row(
    worker: Worker, claimed: int, moment: datetime, url_of: Callable[[Worker], str]
) -> WorkerRow:
    state = state_of(worker, moment)
    is_lost = state is WORKERS[Worker.Status.LOST]
    hands = Hands() if is_lost else hands_of(claimed, worker.concurrency)
    load = words_of(hands, worker.concurrency)
    if is_lost and claimed:
        load = lost_words(claimed)
    return WorkerRow(
        name=worker.name,
        url=url_of(worker),
        host=f"{worker.hostname}:{worker.pid}",
        state=state,
        queues=_("all") if worker.queues == "*" else worker.queues,
        bar=charts.bar({"running": hands.running}, worker.concurrency, load),
        load=load,
        beat=wording.distance(worker.beat_at, moment),
        wish=wish_of(worker, moment),
    )

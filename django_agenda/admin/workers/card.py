"""One worker as it is shown: its load, its memory, its version, and what it runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.template.defaultfilters import filesizeformat
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

import django_agenda
from django_agenda.admin import charts, wording
from django_agenda.admin.states import State
from django_agenda.models.execution import Execution
from django_agenda.models.load import read_load
from django_agenda.models.worker import Worker

from .hands import Hands, hands_of, words_of
from .states import state_of, wish_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Hold one body that runs, and for how long it has."""

    url: str
    name: str
    task: str
    since: SafeString | str
    age: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Hold one worker; `runs` is None for those who may not see executions."""

    name: str
    url: str
    process: str
    state: State
    wish: str
    leads: bool
    bar: SafeString
    load: str
    line: SafeString
    queues: str
    memory: str
    version: str
    is_other_version: bool
    started: SafeString | str
    beat: str
    runs: list[Run] | None
    more: int


def card_of(
    worker: Worker,
    moment: datetime,
    *,
    url: str,
    leader: object,
    runs: list[Run] | None = None,
    more: int = 0,
) -> Card:
    """Return a worker as it is shown."""
    return Card(
        name=worker.name,
        url=url,
        process=f"{worker.hostname}:{worker.pid}",
        state=state_of(worker, moment),
        wish=wish_of(worker, moment),
        leads=worker.pk == leader,
        bar=load_bar(worker),
        load=load_words(worker),
        line=load_line(worker, moment),
        queues=_("all") if worker.queues == "*" else worker.queues,
        memory="–" if worker.memory is None else filesizeformat(worker.memory),
        version=worker.version or "–",
        is_other_version=is_other_version(worker),
        started=wording.time_tag(worker.started_at, moment, seconds=False),
        beat=wording.distance(min(worker.beat_at, moment), moment),
        runs=runs,
        more=more,
    )


def is_other_version(worker: Worker) -> bool:
    """Tell whether a worker runs another version of this app than the site."""
    return worker.version not in ("", django_agenda.__version__)


def load_words(worker: Worker) -> str:
    """Return how many slots are busy of how many it has."""
    return words_of(_hands(worker), worker.concurrency)


def load_bar(worker: Worker) -> SafeString:
    """Draw that."""
    share = {"running": _hands(worker).running}
    return charts.bar(share, worker.concurrency, load_words(worker))


def _hands(worker: Worker) -> Hands:
    return hands_of(worker.running if worker.status in Worker.LIVING else 0, worker.concurrency)


def load_line(worker: Worker, moment: datetime) -> SafeString:
    """Draw how busy it was in the last quarter of an hour; one that has ended, before its end."""
    until = moment if worker.status in Worker.LIVING else worker.beat_at
    steps = read_load(worker.load, until)
    # What was at hand beyond the slots was in no slot.
    busy = [None if step is None else min(step.busy, worker.concurrency) for step in steps]
    failed = [0 if step is None else step.failed for step in steps]
    known = [many for many in busy if many is not None]
    words = _("The last 15 minutes: on average %(busy)s of %(slots)s busy, %(failed)s failed") % {
        "busy": number_format(round(sum(known) / len(known), 1) if known else 0, 1),
        "slots": wording.count(worker.concurrency),
        "failed": wording.count(sum(failed)),
    }
    return charts.occupancy(busy, failed, worker.concurrency, words)


def run_of(execution: Execution, moment: datetime, url: str) -> Run:
    """Return a body that runs as it is shown."""
    began = execution.started_at
    age = "" if began is None else wording.duration(max((moment - began).total_seconds(), 0) * 1000)
    return Run(
        url=url,
        name=execution.key or wording.short_task(execution.task_name),
        task=execution.task_name,
        since=wording.time_tag(began, moment),
        age=age,
    )

"""The workers that matter now, above the list of all: a card each, kept fresh."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_agenda.admin import wording
from django_agenda.models.execution import Execution
from django_agenda.models.worker import Worker

from .card import Card, Run, card_of, run_of
from .hands import hands_of
from .states import leader, recent_workers

if TYPE_CHECKING:
    from .view import WorkerAdmin

SHOWN = 24
RUNS = 3
_MOST_RUNS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Hold the cards, and how many more workers the list below has."""

    sentence: str
    cards: list[Card]
    more: int


def read_board(admin: WorkerAdmin, request: HttpRequest, moment: datetime) -> Board:
    """Read those that live, and those that were lost within an hour: three statements."""
    living, ended = recent_workers(admin.get_queryset(request), moment)
    lost = [one for one in ended if one.status != Worker.Status.STOPPED]
    shown = [*living, *lost]
    cards = shown[:SHOWN]
    sees = admin.can_see(request, Execution)
    runs = _runs(admin, request, [one.pk for one in cards], moment) if sees else {}
    leads = leader(moment)
    return Board(
        sentence=_sentence(living, lost),
        cards=[
            card_of(
                worker,
                moment,
                url=admin.url_of(worker),
                leader=leads,
                runs=runs.get(worker.pk, [])[:RUNS] if sees else None,
                more=max(worker.running - RUNS, 0) if sees else 0,
            )
            for worker in cards
        ],
        more=len(shown) - len(cards),
    )


def _sentence(living: list[Worker], lost: list[Worker]) -> str:
    busy = sum(hands_of(one.running, one.concurrency).running for one in living)
    slots = sum(one.concurrency for one in living)
    alive = ngettext("%(count)s worker is alive", "%(count)s workers are alive", len(living))
    parts = [alive % {"count": wording.count(len(living))}]
    if living:
        words = _("%(busy)s of %(slots)s slots busy")
        parts.append(words % {"busy": wording.count(busy), "slots": wording.count(slots)})
    if lost:
        words = ngettext("%(count)s lost", "%(count)s lost", len(lost))
        parts.append(words % {"count": wording.count(len(lost))})
    return ", ".join(parts)


def _runs(
    admin: WorkerAdmin, request: HttpRequest, workers: list[Any], moment: datetime
) -> dict[Any, list[Run]]:
    """Return what they run by worker, the longest first."""
    found = running(admin, request).filter(claimed_by__in=workers)
    runs: dict[Any, list[Run]] = defaultdict(list)
    for one in found.order_by("started_at", "pk")[:_MOST_RUNS]:
        if len(runs[one.claimed_by]) < RUNS:
            runs[one.claimed_by].append(run_of(one, moment, admin.url_of(one)))
    return runs


def running(admin: WorkerAdmin, request: HttpRequest) -> Any:
    """Return what runs of the executions that this user may see, without what it is called with."""
    rows = admin.executions(request).filter(
        status=Execution.Status.RUNNING, finished_at__isnull=True
    )
    return rows.only("id", "task_name", "key", "started_at", "batch_id", "claimed_by")

"""The batches that an overview is about, and conditions for their executions around now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from django_agenda.admin.plan_end import Last, plan_end
from django_agenda.admin.span import MILLISECOND
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

DAY = timedelta(days=1)
MOST = 500
# A small batch is counted whole; of a large one only the part of its plan that is asked for.
_SMALL = 500
_MOST_LARGE = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Hold the batches that have not ended, or did so within a day; `more` when not all of them."""

    batches: Sequence[Batch]
    more: bool

    def over(self, moment: datetime) -> list[Batch]:
        """Return those whose plan is over by then."""
        return [batch for batch in self.batches if end_of(batch) < moment]

    def between(self, begin: datetime, end: datetime) -> list[Batch]:
        """Return those that may have something planned between two moments."""
        found = [
            batch
            for batch in self.batches
            if batch.start <= end and (batch.finished_at is None or batch.finished_at >= begin)
        ]
        large = [batch.pk for batch in found if batch.total > _SMALL]
        left_out = set(large[_MOST_LARGE:])
        return [batch for batch in found if batch.pk not in left_out]


def read_scope(rows: QuerySet[Batch], moment: datetime) -> Scope:
    """Read them in one statement, those that have not ended first."""
    current = rows.filter(Q(finished_at=None) | Q(finished_at__gte=moment - DAY))
    order = (F("finished_at").desc(nulls_first=True), "-pk")
    last = Execution.objects.filter(batch=OuterRef("pk")).order_by("-planned_offset_ms")
    ends = {
        f"last_{name}": Subquery(last.values(f"{name}_offset_ms")[:1])
        for name in ("planned", "slot")
    }
    found = list(current.annotate(**ends).order_by(*order)[: MOST + 1])
    return Scope(batches=found[:MOST], more=len(found) > MOST)


def end_of(batch: Any) -> datetime:
    """Return until when a batch is planned, as far as the scope has read it."""
    planned_ms = getattr(batch, "last_planned", None)
    return plan_end(batch, None if planned_ms is None else Last(planned_ms, batch.last_slot))


def planned_between(batches: Sequence[Batch], begin: datetime, end: datetime) -> Q:
    """Return a condition on the members of batches that an index answers batch by batch."""
    found = Q(batch__in=[batch.pk for batch in batches if batch.total <= _SMALL])
    for batch in batches:
        if batch.total > _SMALL:
            span = ((begin - batch.start) // MILLISECOND, (end - batch.start) // MILLISECOND)
            found |= Q(batch=batch.pk, planned_offset_ms__range=span)
    return found

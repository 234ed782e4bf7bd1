"""Until when a batch is planned: its window, unless its executions were moved since."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db.models import QuerySet

from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

from .span import MILLISECOND


class Last(NamedTuple):
    """Hold where the last execution is planned, and where the scatter had put it."""

    planned_ms: int
    slot_ms: int


def read_last(rows: QuerySet[Execution]) -> Last | None:
    """Return the last of a batch's plan, if any is left: one statement."""
    found = rows.order_by("-planned_offset_ms").values_list("planned_offset_ms", "slot_offset_ms")
    row = found.first()
    return None if row is None else Last(*row)


def plan_end(batch: Batch, last: Last | None) -> datetime:
    """Return the end of its window, or of what a respread, a resume or a reschedule made of it."""
    if last is None:
        return batch.end
    moved_ms = abs(last.planned_ms - last.slot_ms)
    jitter_ms = 0 if batch.jitter is None else batch.jitter // MILLISECOND + 1
    if moved_ms <= jitter_ms:
        return batch.end
    return batch.start + last.planned_ms * MILLISECOND

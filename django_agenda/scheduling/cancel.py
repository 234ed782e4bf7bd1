"""End executions before they run."""

from __future__ import annotations

from django.db.models import QuerySet

from django_agenda.conf import get_settings
from django_agenda.models import bulk
from django_agenda.models.execution import Execution

from .end import end_waiting


def cancel(executions: QuerySet[Execution]) -> int:
    """Cancel those that wait, in chunks; return how many.

    A claim at the same instant has either happened or happens no more: the row decides.
    """
    waiting = executions.filter(status__in=Execution.WAITING).order_by("pk")
    ids = waiting.values_list("pk", flat=True)
    chunks = bulk.chunked((id_.hex for id_ in ids), get_settings().CHUNK_SIZE)
    return sum(end_waiting(executions.db, chunk, Execution.Status.CANCELLED) for chunk in chunks)

"""Hold what Redis has against the rows, both ways, and make them agree.

The caretaker of a worker finds what is overdue and missing within seconds. This looks at
everything: it finds what will be late one day, and what Redis keeps for nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from django_agenda.broker import broker
from django_agenda.broker.entry import Entry
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models.execution import Execution

from .enqueue import enqueue, entry_of

# An id that a worker has just popped is claimed within this time, unless it was lost.
SECOND_LOOK = 2.0
MOST_SUSPECTS = 50_000
_READ = ("id", "queue_name", "due_at", "priority")


def find_strangers(using: str, *, repair: bool) -> Iterator[int]:
    """Find ids in Redis whose row does not wait, or waits in another queue; take them out.

    Gives how many, chunk by chunk. They can do no harm, but they take memory.
    """
    for queue_name in broker.queue_names():
        for ids in broker.held(queue_name, get_settings().CHUNK_SIZE):
            strange = _strange(using, queue_name, ids)
            if strange and repair:
                broker.remove((id_, queue_name) for id_ in strange)
                # One of them may have become due again at this very moment.
                enqueue([entry_of(row) for row in _waiting(using).filter(pk__in=strange)])
            yield len(strange)


def find_missing(using: str, *, repair: bool) -> Iterator[int]:
    """Find rows that wait and that Redis lacks, or has at another moment; enqueue them.

    Gives how many, chunk by chunk; what seems to be missing is looked at twice, since a worker may
    have it in its hands. What lies beyond HORIZON is not missing.
    """
    size = get_settings().CHUNK_SIZE
    for suspects in _suspects(using):
        threading.Event().wait(SECOND_LOOK)
        for first in range(0, len(suspects), size):
            some = suspects[first : first + size]
            again = _waiting(using).filter(pk__in=[UUID(entry.id) for entry in some])
            missing = broker.astray(_unchanged(some, again))
            if repair:
                enqueue(missing)
            yield len(missing)


def _suspects(using: str) -> Iterator[list[Entry]]:
    """Give what seems to be missing, so many at once that few waits are needed."""
    found: list[Entry] = []
    for page in _pages(using):
        found += broker.astray([entry_of(row) for row in page])
        if len(found) >= MOST_SUSPECTS:
            yield found
            found = []
    if found:
        yield found


def _strange(using: str, queue_name: str, ids: Sequence[str]) -> list[str]:
    """Return ids that Redis has before and after the row was seen not to wait.

    One that a worker pops, runs and schedules again meanwhile waits when it is looked at anew.
    """
    suspects = sorted(set(ids) - _waiting_in(using, queue_name, ids))
    if not suspects:
        return []
    entries = [Entry(id_, queue_name, 0, 0) for id_ in suspects]
    gone = {entry.id for entry in broker.missing(entries)}
    again = _waiting_in(using, queue_name, suspects)
    return [id_ for id_ in suspects if id_ not in gone and id_ not in again]


def _unchanged(suspects: Sequence[Entry], rows: QuerySet[Execution]) -> list[Entry]:
    known = set(suspects)
    return [entry for row in rows if (entry := entry_of(row)) in known]


def _waiting_in(using: str, queue_name: str, ids: Sequence[str]) -> set[str]:
    rows = _waiting(using).filter(pk__in=[UUID(id_) for id_ in ids], queue_name=queue_name)
    return {id_.hex for id_ in rows.values_list("pk", flat=True)}


def _pages(using: str) -> Iterator[list[Execution]]:
    rows = _waiting(using).filter(status=Execution.Status.SCHEDULED).order_by("due_at", "pk")
    horizon = get_settings().HORIZON
    if horizon is not None:
        # What has only just come within it may be on its way.
        rows = rows.filter(due_at__lte=now() + horizon - min(horizon / 5, timedelta(minutes=5)))
    page = rows
    while found := list(page[: get_settings().CHUNK_SIZE]):
        yield found
        last = found[-1]
        page = rows.filter(Q(due_at__gt=last.due_at) | Q(due_at=last.due_at, pk__gt=last.pk))


def _waiting(using: str) -> QuerySet[Execution]:
    rows = Execution.objects.using(using).filter(status__in=Execution.WAITING, held_by="")
    return rows.only(*_READ)

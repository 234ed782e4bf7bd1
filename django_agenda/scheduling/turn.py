"""Let the ticks go that wait for the run before them (`overlap="queue"`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from django.db import transaction

from django_agenda.broker.entry import Entry
from django_agenda.models.execution import Execution
from django_agenda.models.transactions import in_transaction

from .enqueue import tell
from .hold import release


def let_next_go(using: str, schedule_ids: Sequence[int]) -> int:
    """Let go of the first that waits of each schedule of which nothing else is alive."""

    def let_go() -> int:
        entries = release_next(using, schedule_ids)
        transaction.on_commit(partial(tell, [], entries), using=using)
        return len(entries)

    return in_transaction(using, let_go)


def let_all_go(using: str) -> int:
    """Do so for every schedule: a run may have ended where nobody looked for the next one."""
    waiting = Execution.objects.using(using).filter(held_by=Execution.IN_TURN)
    keys = list(waiting.order_by().values_list("schedule", flat=True).distinct())
    return let_next_go(using, [key for key in keys if key is not None]) if keys else 0


def release_next(using: str, schedule_ids: Sequence[int]) -> list[Entry]:
    """See let_next_go(); must run inside a transaction. Return what is to be enqueued."""
    # One statement: of two that look at once, both must see the same one as the next.
    rows = (
        Execution.objects.using(using)
        .filter(schedule__in=schedule_ids, finished_at=None, status__in=Execution.LIVE)
        .order_by("tick_at", "pk")
        .values_list("schedule", "pk", "held_by")
    )
    first: dict[int, str] = {}
    busy: set[int] = set()
    for key, id_, held_by in rows:
        if held_by == Execution.IN_TURN:
            first.setdefault(key, id_.hex)
        else:
            busy.add(key)
    ids = sorted(id_ for key, id_ in first.items() if key not in busy)
    return [one.entry for one in release(using, ids, Execution.IN_TURN)] if ids else []

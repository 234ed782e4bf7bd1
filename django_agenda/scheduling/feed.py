"""Give Redis what comes within the horizon, when HORIZON keeps the rest in the database only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models.execution import Execution

from .enqueue import enqueue, entry_of

# A feed is due when so much of the horizon has passed since the last one.
SHARE = 0.1
# How far the clocks of those who enqueue and of this process may differ.
SKEW = timedelta(seconds=5)
CHUNKS_A_LOOK = 20


class Feed:
    """Move the mark up to which Redis was told of everything along with the horizon.

    What is written down while the mark is ahead of it is enqueued by whoever writes it, because
    it lies within the horizon. A new caretaker begins with the oldest, which tells Redis much that
    it knows: harmless. What is forgotten nevertheless is overdue for a second or two.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self._told: datetime | None = None
        self._walk: Iterator[int] | None = None

    def enqueue(self) -> int:
        """Enqueue what has come within the horizon since the last look; return how many."""
        horizon = get_settings().HORIZON
        if horizon is None:
            self._told = None
            return 0
        moment = now()
        if self._walk is None and self._told and self._told > moment + horizon * (1 - SHARE):
            return 0
        begin = None if self._told is None else self._told - min(SKEW, horizon * SHARE)
        walk = self._walk or self._steps(begin, moment + horizon)
        self._walk = None  # so that a walk that fails is begun anew
        count = 0
        for step, told in enumerate(walk, 1):
            count += told
            if step == CHUNKS_A_LOOK:
                self._walk = walk
                break
        return count

    def _steps(self, begin: datetime | None, end: datetime) -> Iterator[int]:
        size = get_settings().CHUNK_SIZE
        waiting = Execution.objects.using(self._using).filter(
            status=Execution.Status.SCHEDULED, held_by="", due_at__lte=end
        )
        rows = waiting.only("id", "queue_name", "due_at", "priority").order_by("due_at", "pk")
        page = rows if begin is None else rows.filter(due_at__gte=begin)
        while found := list(page[:size]):
            yield enqueue([entry_of(row) for row in found])
            last = found[-1]
            page = rows.filter(Q(due_at__gt=last.due_at) | Q(due_at=last.due_at, pk__gt=last.pk))
        self._told = end

"""What to claim while Redis does not answer: the database knows what is due, only later."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.db import connections
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from django_agenda.clock import monotonic
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue

from .queues import Queues

# An idle worker looks this often, at random, so that many do not look at one moment.
SELDOM, OFTEN = 1.0, 0.2
# One look reads so many, in order; then they are claimed from that list.
SIGHT = 1000
SIGHT_LASTS = 1.0


class Sight:
    """Know the most urgent of what is due, for a second or until it is used up.

    To sort all that is due for every claim would cost too much under a backlog.
    """

    def __init__(self, using: str, queues: Queues) -> None:
        self._using = using
        self._queues = queues
        self._ids: Sequence[UUID] = ()
        self._until = 0.0

    def pick(self, limit: int) -> list[str]:
        """Return up to `limit` ids, most urgent first, that no other worker is claiming now.

        Must run in the transaction that claims them: where the database can skip what others have
        locked it locks them. Where it cannot, the claim's guard alone decides.
        """
        picked = self._free(limit) if self._ids and monotonic() < self._until else []
        if len(picked) < limit:
            self._ids = list(_urgent(self._due()).values_list("pk", flat=True)[:SIGHT])
            self._until = monotonic() + SIGHT_LASTS
            picked = self._free(limit) if self._ids else []
        return [id_.hex for id_ in picked]

    def _free(self, limit: int) -> list[UUID]:
        rows = _urgent(self._due().filter(pk__in=self._ids))
        if connections[self._using].features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True)
        return list(rows.values_list("pk", flat=True)[:limit])

    def _due(self) -> QuerySet[Execution]:
        rows = Execution.objects.using(self._using).filter(
            Q(expires_at=None) | Q(expires_at__gte=Now()),
            status__in=Execution.WAITING,
            held_by="",
            due_at__lte=Now(),
        )
        paused = PausedQueue.objects.using(self._using).values("name")
        return self._queues.of(rows).exclude(queue_name__in=paused)


def _urgent(rows: QuerySet[Execution]) -> QuerySet[Execution]:
    return rows.order_by("-priority", "due_at")


def database_now(using: str) -> datetime:
    """Return the present moment of the database's clock."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_NOW.get(connection.vendor, _NOW['postgresql'])}")
        value = cursor.fetchone()[0]
    moment: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_NOW = {
    "postgresql": "STATEMENT_TIMESTAMP()",
    "mysql": "UTC_TIMESTAMP(6)",
    "sqlite": "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
}


def rest(taken: int, limit: int) -> float:
    """Return the seconds until the next look: none while there was as much as was asked for."""
    return 0.0 if taken >= limit else random.uniform(OFTEN, SELDOM)

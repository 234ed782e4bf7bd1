"""Which queues a worker serves."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from django_agenda.broker import broker
from django_agenda.clock import monotonic
from django_agenda.models.execution import Execution
from django_agenda.tasks.task import check_queue_name

EVERY = "*"
LOOK_AGAIN = 5.0


class Queues:
    """Name the queues to claim from; with `*` that is every queue that was ever used."""

    def __init__(self, names: Collection[str], excluded: Collection[str] = ()) -> None:
        if not names:
            raise ValueError("A worker needs at least one queue to serve")
        self.is_every = EVERY in names
        self._named = [check_queue_name(name) for name in dict.fromkeys(names) if name != EVERY]
        self._excluded = {check_queue_name(name) for name in excluded}
        if not self.is_every and self._excluded.issuperset(self._named):
            names = ", ".join(self._named)
            raise ValueError(f"A worker needs a queue to serve: all of {names} are excluded")
        self._known: list[str] = []
        self._looked_at: float | None = None
        self._turn = 0

    def __str__(self) -> str:
        names = EVERY if self.is_every else ",".join(self._named)
        return names + "".join(f" -{name}" for name in sorted(self._excluded))

    def served(self) -> list[str]:
        """Return the names now; asks the broker for new ones every few seconds."""
        if not self.is_every:
            return [name for name in self._named if name not in self._excluded]
        if self._looked_at is None or monotonic() - self._looked_at > LOOK_AGAIN:
            self._known = [name for name in broker.queue_names() if name not in self._excluded]
            self._looked_at = monotonic()
        return self._known

    def in_turn(self) -> list[str]:
        """Return the names, each time with another one first, so that none starves the others."""
        names = self.served()
        self._turn = (self._turn + 1) % max(1, len(names))
        return names[self._turn :] + names[: self._turn]

    def of(self, executions: QuerySet[Execution]) -> QuerySet[Execution]:
        """Keep the executions of the queues that are served."""
        if not self.is_every:
            executions = executions.filter(queue_name__in=self._named)
        return executions.exclude(queue_name__in=self._excluded)

    def look_again(self) -> None:
        """Ask the broker at the next turn: there is a new queue."""
        self._looked_at = None

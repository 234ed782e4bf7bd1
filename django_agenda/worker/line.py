"""Whether somebody waits for a slot: a worker that ends when nothing is due waits for them."""

from __future__ import annotations

from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue

from .queues import Queues


class Line:
    """Look at those that wait for a slot in the queues that are served."""

    def __init__(self, using: str, queues: Queues) -> None:
        self._using = using
        self._queues = queues

    def is_waited_for(self) -> bool:
        """Tell whether one of them may still be let in, as soon as another one ends."""
        waiting = Execution.objects.using(self._using).filter(
            held_by=Execution.NO_SLOT, status__in=Execution.WAITING
        )
        paused = PausedQueue.objects.using(self._using).values("name")
        return self._queues.of(waiting).exclude(queue_name__in=paused).exists()

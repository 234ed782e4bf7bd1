"""Let a paused queue go on."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial

from django.db import router, transaction

from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue
from django_agenda.models.transactions import in_transaction
from django_agenda.tasks.task import check_queue_name

from .change import Changed, carry_out, collect
from .enqueue import entry_of
from .moments import check_over, spread_over
from .move import check_reach, move


def resume_queue(queue_name: str, over: timedelta | None = None) -> bool:
    """Claim from a paused queue again; tell whether it was paused.

    What is overdue by now runs at once, or is spread evenly over `over` from now; what has expired
    meanwhile is missed, unless it was spread. Moments are changed first, while nothing is claimed,
    so that a resume which dies half-way can be repeated.
    """
    using = router.db_for_write(PausedQueue)
    paused = PausedQueue.objects.using(using).filter(name=check_queue_name(queue_name))
    if over is not None:
        check_over(over)
    if not paused.exists():
        return False
    moment = now()
    overdue = Execution.objects.using(using).filter(
        queue_name=queue_name, status__in=Execution.WAITING, held_by="", due_at__lte=moment
    )
    if over is not None:
        check_reach(overdue, moment, over)
    ids = collect(overdue, "due_at", "pk")
    if over is not None:
        move(using, ids, spread_over(len(ids), moment, over))
    else:
        carry_out(using, ids.pages(), partial(_enqueue_anew, using))

    def delete() -> None:
        paused.delete()
        transaction.on_commit(partial(_tell, queue_name), using=using)

    in_transaction(using, delete)
    return True


def _enqueue_anew(using: str, ids: list[str]) -> Changed:
    """Tell the broker again of what it may have lost while the queue was paused."""
    rows = Execution.objects.using(using).filter(
        pk__in=ids, status=Execution.Status.SCHEDULED, held_by=""
    )
    entries = [
        entry_of(row) for row in rows.only("id", "queue_name", "due_at", "priority").order_by()
    ]
    return Changed(count=len(entries), entries=entries)


def _tell(queue_name: str) -> None:
    # The caretaker tells the broker again.
    with suppress(BrokerUnavailable):
        broker.resume([queue_name])

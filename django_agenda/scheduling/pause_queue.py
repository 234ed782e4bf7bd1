"""Hold a whole queue: its rows stay as they are, and nothing of it is claimed."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from django.db import router, transaction

from django_agenda.broker import broker
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.paused_queue import PausedQueue
from django_agenda.models.transactions import in_transaction
from django_agenda.tasks.task import check_queue_name


def pause_queue(queue_name: str) -> bool:
    """Claim nothing more of a queue, from the commit on; tell whether it was not paused yet.

    What was claimed already runs, or was just being claimed. What waits keeps its moment, and
    `expires` is not looked at until resume_queue(). The queue need not exist yet. Raises ValueError
    for a bad name.
    """
    using = router.db_for_write(PausedQueue)
    name = check_queue_name(queue_name)

    def write_down() -> bool:
        _, is_new = PausedQueue.objects.using(using).get_or_create(name=name)
        transaction.on_commit(partial(_tell, name), using=using)
        return is_new

    return in_transaction(using, write_down)


def _tell(queue_name: str) -> None:
    # The claim of the rows looks at the database; the caretaker tells the broker again.
    with suppress(BrokerUnavailable):
        broker.pause([queue_name])

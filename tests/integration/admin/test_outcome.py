"""What the first stage of a batch's outcome says of what Redis was not told in its turn."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from django_agenda.admin.batches.outcome import scheduling
from django_agenda.admin.wording import batch_sentence
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from tests.factories import BatchFactory, ExecutionFactory

pytestmark = pytest.mark.django_db


def batch_of(*counts: tuple[int, str], **values: Any) -> Batch:
    """Make a batch of so many executions with each status, in that order."""
    moment = now()
    batch = BatchFactory.create(start=moment - timedelta(hours=1), over=timedelta(hours=2))
    for many, status in counts:
        ended = moment if status in Batch.ENDED else None
        first = batch.executions.count()
        for position in range(first, first + many):
            ExecutionFactory.create(
                batch=batch, position=position, status=status, finished_at=ended
            )
        values[status] = values.get(status, 0) + many
    total = batch.executions.count()
    ended_at = moment if all(status in Batch.ENDED for _many, status in counts) else None
    Batch.objects.filter(pk=batch.pk).update(total=total, finished_at=ended_at, **values)
    batch.refresh_from_db()
    return batch


def told(batch: Batch) -> dict[str, str]:
    stage = scheduling(batch, Execution.objects.filter(batch=batch))
    return {share.label: share.count for share in stage.shares}


def test_what_workers_took_from_the_database_is_neither_untold_nor_held() -> None:
    during = batch_of(
        *[(10, "succeeded"), (5, "scheduled"), (20, "succeeded"), (4, "running"), (7, "pending")],
        enqueued=15,
        told_until=15,
        enqueue_error="ConnectionError: refused",
    )

    assert told(during) == {"enqueued": "15", "taken without Redis": "24", "not enqueued": "7"}


def test_after_an_outage_nothing_is_held_that_is_over() -> None:
    after = batch_of(
        *[(10, "succeeded"), (20, "succeeded"), (6, "scheduled")],
        enqueued=16,
        told_until=36,
        enqueue_error="ConnectionError: refused",
    )
    ended = batch_of(
        (30, "succeeded"), enqueued=10, told_until=30, enqueue_error="ConnectionError: refused"
    )

    assert told(after) == {"enqueued": "16", "taken without Redis": "20"}
    assert told(ended) == {"enqueued": "10", "taken without Redis": "20"}


def test_what_is_being_enqueued_and_what_is_held_is_told_apart() -> None:
    batch = batch_of((30, "scheduled"), enqueued=8, told_until=10)
    Execution.objects.filter(batch=batch, position__lt=2).update(held_by="strike 1")

    assert told(batch) == {"enqueued": "8", "not told to the broker yet": "20", "held": "2"}


def test_what_was_held_and_let_go_is_enqueued() -> None:
    batch = batch_of((5, "succeeded"), (5, "scheduled"), enqueued=6, told_until=10)

    assert told(batch) == {"enqueued": "10"}


def test_what_was_cancelled_before_its_turn_is_withdrawn() -> None:
    batch = batch_of((5, "succeeded"), (5, "cancelled"), enqueued=5, told_until=5)

    assert told(batch) == {"enqueued": "5", "withdrawn": "5"}


def test_one_word_stands_for_what_redis_refused() -> None:
    batch = batch_of((3, "scheduled"), (7, "pending"), enqueued=3, told_until=3)

    assert batch_sentence(batch) == "7 not enqueued, 3 scheduled of 10"

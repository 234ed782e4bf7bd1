"""What a deadlock undid is done again, and as if it had been done once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from django_agenda import pause_queue, resume_queue
from django_agenda.models import Batch, Execution, Worker
from django_agenda.worker.claims import give_back
from django_agenda.worker.record import record
from tests.sound import assert_sound

from .control import DEFAULT, HOUR, START, batch_of, outcome, overdue, take

DEADLOCK = (1213, "Deadlock found when trying to get lock; try restarting transaction")


def fail(batch: Batch) -> None:
    batch.executions.update(status=Execution.Status.FAILED, finished_at=START)
    ended = {"scheduled": 0, "failed": batch.total, "finished_at": START}
    Batch.objects.filter(pk=batch.pk).update(**ended)


VERBS: dict[str, Callable[[Batch], object]] = {
    "pause": lambda batch: batch.executions.all().pause(),
    "pause of a batch": lambda batch: batch.pause(),
    "resume of a batch": lambda batch: (batch.pause(), batch.resume()),
    "cancel": lambda batch: batch.cancel(),
    "reschedule": lambda batch: batch.executions.all().reschedule(by=HOUR),
    "respread": lambda batch: batch.respread(over=HOUR),
    "retry": lambda batch: batch.retry_failed(over=HOUR),
    "pause and resume of a queue": lambda batch: (
        pause_queue(f"q{batch.pk}"),
        resume_queue(f"q{batch.pk}"),
    ),
}


@contextmanager
def one_deadlock_each(*tables: str) -> Any:
    """Let the database give up each table's first change, as it does with a deadlock's victim."""
    left = [f"UPDATE {connection.ops.quote_name(table)}" for table in tables]
    left += [f"INSERT INTO {connection.ops.quote_name(table)}" for table in tables]
    left += [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables]
    met: list[str] = []

    def give_up(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        for start in left:
            if start in sql:
                left.remove(start)
                met.append(start)
                raise OperationalError(*DEADLOCK)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(give_up):
        yield met


def moments(batch: Batch) -> list[Any]:
    rows = batch.executions.order_by("position")
    return list(rows.values_list("status", "held_by", "planned_offset_ms"))


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_that_a_deadlock_undid_is_done_again(name: str) -> None:
    verb = VERBS[name]
    undisturbed, disturbed = batch_of(count=10), batch_of(count=10)
    if name == "retry":
        fail(undisturbed)
        fail(disturbed)
    verb(undisturbed)

    tables = (Execution._meta.db_table, Batch._meta.db_table, "django_agenda_pausedqueue")
    with one_deadlock_each(*tables) as met:
        verb(disturbed)

    assert met
    if name not in ("respread", "retry"):  # these count from the moment at which they are called
        assert moments(disturbed) == moments(undisturbed)
    spans = [
        max(row.due_at for row in batch.executions.all())
        - min(row.due_at for row in batch.executions.all())
        for batch in (undisturbed, disturbed)
    ]
    assert abs(spans[0] - spans[1]) < timedelta(milliseconds=1)
    assert_sound()


def test_what_a_worker_does_is_done_again() -> None:
    worker = Worker.objects.create(name="one", hostname="here", pid=1)
    batch = overdue(count=10)
    rows = list(batch.executions.all())
    tables = (Execution._meta.db_table, Batch._meta.db_table)

    with one_deadlock_each(*tables) as met:
        given_back = take(worker, *rows)
    assert len(met) == 2
    assert [one.attempt for one in given_back] == [1] * 10
    with one_deadlock_each(*tables) as met:
        give_back(DEFAULT, worker, [(one.id, one.attempt) for one in given_back])
    assert len(met) == 2
    assert_sound()
    claims = take(worker, *rows)
    assert [one.attempt for one in claims] == [1] * 10
    with one_deadlock_each(*tables) as met:
        record(DEFAULT, worker, [outcome(one) for one in claims])

    assert len(met) == 2
    batch.refresh_from_db()
    assert (batch.succeeded, batch.is_finished) == (10, True)
    assert_sound()

"""What a process that died had in its hands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from django_agenda import Agenda, Call
from django_agenda.clock import now
from django_agenda.models import Attempt, Batch, Execution, Worker
from django_agenda.tasks.task import Task
from django_agenda.worker.settle import Remains, settle
from tests import process_tasks as tasks

pytestmark = pytest.mark.usefixtures("transactional_db", "redis_server")


def held(worker: Worker, *, count: int, task: Task[..., Any] = tasks.note) -> list[Execution]:
    """Return executions of one batch that this worker has claimed."""
    start = now() - timedelta(seconds=1)
    calls = [Call(task)] * count
    batch = Agenda(calls).scatter(start=start, over=timedelta(microseconds=1))
    batch.executions.update(
        status="running", attempts=1, claimed_by=worker.pk, worker=worker.name, started_at=now()
    )
    Batch.objects.filter(pk=batch.pk).update(scheduled=0, running=count)
    return list(batch.executions.order_by("position"))


@pytest.fixture
def worker() -> Worker:
    return Worker.objects.create(name="dead", hostname="here", pid=1)


def remains(worker: Worker, *begun: Execution, **more: Any) -> Remains:
    return Remains(worker=worker.pk, begun={(row.pk.hex, row.attempts) for row in begun}, **more)


def batch_of(row: Execution) -> Batch:
    assert row.batch is not None
    row.batch.refresh_from_db()
    return row.batch


def states(rows: list[Execution]) -> list[tuple[str, int, int]]:
    for row in rows:
        row.refresh_from_db()
    return [(row.status, row.attempts, row.crashes) for row in rows]


def test_only_what_had_begun_is_blamed(worker: Worker) -> None:
    rows = held(worker, count=3)
    others = held(Worker.objects.create(name="living", hostname="here", pid=2), count=1)

    settle("default", remains(worker, rows[1]))
    settle("default", remains(worker, rows[1]))

    assert states(rows) == [("scheduled", 0, 0), ("scheduled", 1, 1), ("scheduled", 0, 0)]
    assert states(others) == [("running", 1, 0)]
    worker.refresh_from_db()
    assert worker.status == "lost"
    batch = batch_of(rows[0])
    assert (batch.scheduled, batch.running) == (3, 0)
    assert [one.outcome for one in Attempt.objects.all()] == ["lost"]


def test_what_it_was_killed_for_has_timed_out_and_the_others_are_innocent(worker: Worker) -> None:
    stuck, neighbour = held(worker, count=2, task=tasks.hold_the_interpreter)

    settle("default", remains(worker, stuck={(stuck.pk.hex, 1): 3.0}))

    assert states([stuck, neighbour]) == [("failed", 1, 0), ("scheduled", 0, 0)]
    assert (stuck.error_class, stuck.failed_stage) == ("TimeoutError", "timeout")
    batch = batch_of(stuck)
    assert (batch.scheduled, batch.failed, batch.running) == (1, 1, 0)


def test_a_former_attempt_is_not_blamed_for_the_end_of_a_later_one(worker: Worker) -> None:
    (row,) = held(worker, count=1)

    settle("default", Remains(worker=worker.pk, begun={(row.pk.hex, 7)}))

    assert states([row]) == [("scheduled", 0, 0)]


def test_a_worker_that_never_registered_left_nothing(worker: Worker) -> None:
    left = remains(worker)
    worker.delete()

    settle("default", left)

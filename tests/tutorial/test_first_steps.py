"""The public API in the order of the README: read it from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from django_agenda import (
    Agenda,
    Call,
    ExecutionFailed,
    PartiallyScheduled,
    UnknownTask,
    schedule,
    schedule_many,
)
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from django_agenda.worker.options import Options
from django_agenda.worker.worker import WorkerProcess
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_no_key_is_forgotten, assert_sound

NINE = datetime(2030, 1, 1, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    yield
    assert_sound()
    assert_no_key_is_forgotten(redis_server.client)


@pytest.fixture(autouse=True)
def _patient(settings: object) -> None:
    settings.DJANGO_AGENDA = {**settings.DJANGO_AGENDA, "MAX_BLOCK": 0.05}  # type: ignore[attr-defined]


def run_what_is_due() -> None:
    assert WorkerProcess(Options(burst=True, concurrency=2)).run() == 0


def test_a_task_is_still_a_function_and_has_a_name() -> None:
    assert tasks.add(1, 2) == 3
    assert tasks.add.call(1, 2) == 3
    assert tasks.add.name == "tests.tasks.add"


def test_an_agenda_collects_calls_and_does_nothing_yet() -> None:
    agenda = Agenda()

    assert agenda.add(tasks.add)(1, 2) is None
    agenda.add("tests.tasks.add", key="u-7")(3, b=4)

    assert len(agenda) == 2
    first, second = agenda
    assert (first.task, first.args, first.kwargs, first.key) == (tasks.add, (1, 2), {}, None)
    assert second == Call("tests.tasks.add", (3,), {"b": 4}, "u-7")
    assert not Execution.objects.exists()
    agenda.clear()
    assert len(agenda) == 0


def test_preview_shows_the_moments_and_writes_nothing() -> None:
    agenda = Agenda([Call(tasks.nothing)] * 3)

    moments = agenda.preview(start=NINE, over=timedelta(hours=1))

    assert moments == [NINE, NINE + timedelta(minutes=30), NINE + timedelta(hours=1)]
    assert not Batch.objects.exists()


def test_scatter_spreads_the_calls_evenly_over_a_window() -> None:
    agenda = Agenda()
    for user in range(5):
        agenda.add(tasks.plain)(user)

    batch = agenda.scatter(start=NINE, over=timedelta(hours=1), name="reminders")

    assert (batch.name, batch.total, batch.status) == ("reminders", 5, "scheduled")
    assert [(row.args, row.due_at) for row in batch.executions.all()] == [
        ([user], NINE + timedelta(minutes=15 * user)) for user in range(5)
    ]


def test_a_worker_runs_what_is_due_and_the_batch_tells_what_came_of_it() -> None:
    agenda = Agenda()
    for number in range(10):
        agenda.add(tasks.fail_if)(number < 4)
    batch = agenda.scatter(start=now() - timedelta(hours=1), over=timedelta(minutes=1))

    run_what_is_due()

    batch.refresh_from_db()
    assert batch.status == "partly_failed"
    assert batch.describe() == "6 succeeded, 4 failed of 10"
    assert batch.progress == 1
    failed = batch.executions.filter(status="failed")
    assert {row.error_message for row in failed} == {"it was to fail"}


def test_one_call_can_be_scheduled_alone_and_waited_for() -> None:
    execution = schedule(tasks.add)(2, 3)
    later = schedule(tasks.add, at=NINE, key="later")(1, 1)

    run_what_is_due()

    assert execution.wait(timeout=1) == 5
    assert later.due_at == NINE
    with pytest.raises(TimeoutError):
        later.wait(timeout=0)


def test_a_failure_is_raised_by_wait() -> None:
    execution = schedule(tasks.fail)("no")

    run_what_is_due()

    with pytest.raises(ExecutionFailed, match="no"):
        execution.wait(timeout=1)


def test_many_calls_can_have_moments_of_their_own() -> None:
    calls = [Call(tasks.plain, (n,), at=NINE + timedelta(days=n)) for n in range(3)]

    assert [row.due_at.day for row in schedule_many(calls)] == [1, 2, 3]


def test_a_key_is_alive_once() -> None:
    first = schedule(tasks.plain, at=NINE, key="u-7")(1)

    assert schedule(tasks.plain, at=NINE, key="u-7")(2) == first
    replaced = schedule(tasks.plain, at=NINE, key="u-7", replace=True)(3)

    first.refresh_from_db()
    assert (first.status, replaced.args) == ("cancelled", [3])


def test_a_batch_calls_back_when_it_is_complete() -> None:
    agenda = Agenda([Call(tasks.nothing)])
    batch = agenda.scatter(
        start=now() - timedelta(hours=1), over=timedelta(minutes=1), on_complete=tasks.note_batch
    )

    run_what_is_due()
    run_what_is_due()

    assert batch.callbacks.get().return_value == batch.pk


def test_what_is_wrong_is_said_before_anything_is_written() -> None:
    agenda = Agenda()
    with pytest.raises(ValueError, match="lambda"):
        agenda.add(lambda: None)
    agenda.add("tests.tasks.no_such_task")()

    with pytest.raises(UnknownTask, match=r"Task 'tests.tasks.no_such_task' is not registered"):
        agenda.scatter(over=timedelta(hours=1))
    with pytest.raises(ValueError, match="'over' parameter must be a positive duration"):
        agenda.scatter(over=timedelta(0))

    assert not Batch.objects.exists()


def test_redis_down_is_told_and_nothing_is_lost(redis_server: RedisServer) -> None:
    agenda = Agenda([Call(tasks.nothing)] * 3)
    redis_server.kill()

    with pytest.raises(PartiallyScheduled) as caught:
        agenda.scatter(start=NINE, over=timedelta(hours=1), strict=True)
    batch = caught.value.batch
    assert (batch.status, batch.pending) == ("partly_scheduled", 3)
    redis_server.start()
    batch.resume()

    assert (batch.status, batch.scheduled) == ("scheduled", 3)

"""`current`: what a body can know of the attempt that it is, in threads and in coroutines."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from django_agenda import Agenda, AgendaError, Call, OutsideTask, current, schedule
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Worker
from tests import control_tasks

from .conftest import Work

BOTH = pytest.mark.parametrize("task", [control_tasks.tell, control_tasks.tell_async])


def overdue(*calls: Call) -> Batch:
    return Agenda(calls).scatter(
        start=now() - timedelta(hours=1), over=timedelta(seconds=1), name="Newsletter"
    )


@BOTH
def test_a_body_knows_its_execution_and_batch(task: object, work: Work) -> None:
    batch = overdue(Call(task, (1, "a"), key="k"), Call(task))

    work()

    first, second = batch.executions.all()
    assert first.return_value == {
        "id": str(first.pk),
        "args": [1, "a"],
        "status": "running",
        "position": 0,
        "attempt": 1,
        "key": "k",
        "cancelled": False,
        "batch": [batch.pk, "Newsletter"],
    }
    assert second.return_value["position"] == 1


@BOTH
def test_a_single_execution_has_no_batch(task: object, work: Work) -> None:
    row = schedule(task)()

    work()

    assert row.wait(1)["batch"] is None


def test_attempts_are_counted_from_one(work: Work) -> None:
    row = schedule(control_tasks.fail_twice)()

    work()

    assert row.wait(1) == 3


@pytest.mark.parametrize("task", [control_tasks.say_who, control_tasks.say_who_async])
def test_each_of_many_at_once_is_itself(task: object, work: Work) -> None:
    batch = overdue(*[Call(task, (0.02,))] * 30)

    work(concurrency=8)

    for row in batch.executions.all():
        assert row.return_value == [str(row.pk), 1, str(row.pk)]


def test_its_logger_carries_who_it_is(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    row = schedule(control_tasks.tell, key="k")()

    with caplog.at_level(logging.WARNING):
        work()

    [line] = [line for line in caplog.records if line.message.startswith("told ")]
    assert line.name == "tests.control_tasks.tell"
    carried = (line.execution, line.attempt, line.key, line.more)  # type: ignore[attr-defined]
    assert carried == (row.pk.hex, 1, "k", 1)


@pytest.mark.parametrize("name", ["execution", "batch", "attempt", "key", "logger", "cancelled"])
def test_outside_of_a_task_the_error_says_so(name: str) -> None:
    with pytest.raises(OutsideTask, match=rf"current\.{name}") as raised:
        getattr(current, name)
    assert isinstance(raised.value, AgendaError)
    assert isinstance(raised.value, RuntimeError)


def test_a_task_that_is_called_here_and_now_is_outside() -> None:
    with pytest.raises(OutsideTask):
        control_tasks.tell()


def test_knowing_oneself_costs_no_statement(work: Work) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from django_agenda.tasks.context import running
    from django_agenda.tasks.registry import resolve
    from django_agenda.worker.claim import Claim
    from django_agenda.worker.context import ClaimContext
    from django_agenda.worker.lease import Lease

    row = schedule(control_tasks.tell)(1)
    task = resolve(control_tasks.tell)
    claim = Claim(
        row.pk.hex,
        None,
        row.task_name,
        "[1]",
        "{}",
        1,
        1,
        0,
        row.due_at,
        None,
        None,
        "default",
        0,
        task,
        0.0,
        Lease(Worker()),
    )
    with running(ClaimContext(claim)), CaptureQueriesContext(connection) as queries:
        assert current.execution == row
        assert (current.execution.args, current.attempt) == ([1], 1)
        assert not current.cancelled

    assert len(queries) == 0
    assert Execution.objects.get().status == "scheduled"


@pytest.mark.parametrize(
    "task",
    [
        control_tasks.schedule_more,
        control_tasks.schedule_more_async,
        control_tasks.schedule_more_atomically,
    ],
)
def test_what_a_body_schedules_names_it_as_its_parent(task: object, work: Work) -> None:
    row = schedule(task)("w")
    before = schedule(control_tasks.nothing_more, after=timedelta(hours=1))("before")

    work()

    made = Execution.objects.filter(parent=row)
    assert sorted(str(one.pk) for one in made) == sorted(row.wait(1))
    assert made.count() == 5
    assert [Execution.objects.get(pk=one.pk).parent for one in (row, before)] == [None, None]


def test_a_callback_has_no_parent_but_its_batch(work: Work) -> None:
    calls = [Call(control_tasks.schedule_more_atomically, ("w",))]
    batch = Agenda(calls).scatter(
        start=now() - timedelta(hours=1),
        over=timedelta(seconds=1),
        on_complete=control_tasks.nothing_more,
    )

    work()

    assert batch.callbacks.get().parent is None

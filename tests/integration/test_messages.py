"""What goes wrong at scatter, at schedule and while one waits says which call it was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import SynchronousOnlyOperation
from django.db import transaction

from django_agenda import Agenda, Call, ExecutionFailed, UnknownTask, schedule, schedule_many
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from django_agenda.signals import broker_refused
from tests import tasks
from tests.conftest import RedisServer

from .conftest import Work
from .control import HOUR, START, batch_of

WRONG: dict[str, tuple[type[Exception], Call]] = {
    "argument": (TypeError, Call(tasks.plain, (object(),))),
    "key": (ValueError, Call(tasks.plain, (1,), key="x" * 256)),
    "label": (ValueError, Call(tasks.plain, (1,), labels=("",))),
    "moment": (ValueError, Call(tasks.plain, (1,), at=START)),
    "lambda": (ValueError, Call(lambda: None)),
}


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("kind", WRONG)
def test_a_call_that_cannot_be_scattered_is_named(kind: str, is_stream: bool) -> None:
    error, wrong = WRONG[kind]
    calls = [Call(tasks.plain, (1,)), Call(tasks.plain, (2,)), wrong]
    agenda = Agenda(iter(calls), count=3) if is_stream else Agenda(calls)

    with pytest.raises(error, match=r"\(call number 2, counted from 0: .+\)$"):
        agenda.scatter(over=HOUR)

    assert not Batch.objects.exists()


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_unknown_task_keeps_its_message_and_notes_its_place(is_stream: bool) -> None:
    calls = [Call(tasks.plain, (1,)), Call("tests.tasks.plan", (1,))]
    agenda = Agenda(iter(calls), count=2) if is_stream else Agenda(calls)

    with pytest.raises(UnknownTask) as caught:
        agenda.scatter(over=HOUR)

    assert str(caught.value) == "Task 'tests.tasks.plan' is not registered"
    assert caught.value.__notes__ == [
        "Did you mean 'tests.tasks.plain'?",
        "It is call number 1, counted from 0: tests.tasks.plan",
    ]


def test_of_many_single_calls_the_wrong_one_is_named() -> None:
    calls = [Call(tasks.plain, (1,)), Call(tasks.plain, ({1},))]

    with pytest.raises(TypeError, match=r"call number 1, counted from 0: tests\.tasks\.plain"):
        schedule_many(calls)
    with pytest.raises(TypeError, match=r"\(set\)$"):
        schedule(tasks.plain)({1})


def test_an_agenda_whose_calls_were_only_begun_warns() -> None:
    agenda = Agenda()
    agenda.add(tasks.plain)

    with pytest.warns(RuntimeWarning, match=r"add\(task\)\(arguments\)"):
        assert agenda.scatter(over=HOUR).status == "succeeded"

    agenda.clear()
    assert agenda.scatter(over=HOUR).total == 0


def test_scatter_in_a_coroutine_points_to_its_twin() -> None:
    async def scatter() -> None:
        with pytest.raises(SynchronousOnlyOperation) as caught:
            Agenda([Call(tasks.plain, (1,))]).scatter(over=HOUR)
        assert caught.value.__notes__ == ["In a coroutine: await agenda.ascatter(...)"]

    async_to_sync(scatter)()


def test_a_verb_in_a_coroutine_points_to_its_twin() -> None:
    batch = batch_of()

    async def cancel() -> None:
        with pytest.raises(SynchronousOnlyOperation) as caught:
            batch.cancel()
        assert "'a'" in caught.value.__notes__[0]

    async_to_sync(cancel)()


def test_ascatter_takes_what_scatter_takes() -> None:
    agenda = Agenda([Call(tasks.plain, (1,))])

    batch = async_to_sync(agenda.ascatter)(HOUR, start=START)

    assert (batch.over, batch.start) == (HOUR, START)


# --- waiting ---


@pytest.mark.parametrize("timeout", ["1", True])
def test_a_time_out_that_is_no_duration_is_refused(timeout: Any) -> None:
    with pytest.raises(TypeError, match=r"'timeout' must be a timedelta or a number of seconds"):
        schedule(tasks.plain, at=START)(1).wait(timeout)


def test_who_waits_too_long_hears_for_what() -> None:
    with pytest.raises(TimeoutError, match=r"is still scheduled after 0\.01 s$"):
        schedule(tasks.plain, at=START)(1).wait(timeout=timedelta(milliseconds=10))
    with pytest.raises(TimeoutError, match=r"is still scheduled after 0 s: 3 scheduled of 3$"):
        batch_of().wait(timeout=0)


def test_who_waits_in_a_transaction_hears_that_nothing_can_run() -> None:
    with transaction.atomic():
        execution = schedule(tasks.plain)(1)
        with pytest.raises(TimeoutError, match=r"runs after its commit"):
            execution.wait(timeout=0)


def test_the_message_of_what_was_missed_has_no_empty_parts(work: Work) -> None:
    batch = batch_of(Call(tasks.plain, (1,)), start=now() - 2 * HOUR, expires=1)
    work()

    with pytest.raises(ExecutionFailed, match=r" missed: No worker") as caught:
        Execution.objects.get(batch=batch).wait(timeout=0)

    assert ": :" not in str(caught.value)


def test_a_resume_that_is_refused_says_how_many_wait(redis_server: RedisServer) -> None:
    heard: list[int] = []
    redis_server.kill()
    batch = batch_of(count=5)

    def hear(count: int, **_: Any) -> None:
        heard.append(count)

    broker_refused.connect(hear)
    try:
        assert batch.resume() == 0
    finally:
        broker_refused.disconnect(hear)

    assert heard == [5]
    assert batch.enqueue_error

"""schedule() and schedule_many(): executions without a batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from django_agenda import (
    Agenda,
    AlreadyDeleted,
    Call,
    ExecutionCancelled,
    ExecutionFailed,
    UnknownTask,
    schedule,
)
from django_agenda import schedule_many as many
from django_agenda.broker.entry import due_ms
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from django_agenda.scheduling.cancel import cancel
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import ids_in_redis

from .conftest import Work

START = datetime(2030, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def moment_in_redis(server: RedisServer, row: Execution, queue: str = "default") -> int | None:
    score = server.client.zscore(f"{{test}}:due:{queue}", row.pk.hex)
    return None if score is None else int(score) // 256


def test_it_runs_at_the_moment_that_was_given(redis_server: RedisServer) -> None:
    row = schedule(tasks.plain, at=START)(5)

    assert isinstance(row, Execution)
    assert (row.due_at, row.args, row.batch, row.status) == (START, [5], None, "scheduled")
    assert moment_in_redis(redis_server, row) == due_ms(START)


def test_without_a_moment_it_is_due_now() -> None:
    before = now()

    row = schedule(tasks.plain)(5)

    assert before <= row.due_at <= now()


@pytest.mark.parametrize("after", [HOUR, 3600, 3600.0])
def test_after_counts_from_now(after: Any) -> None:
    before = now()

    row = schedule(tasks.plain, after=after)(5)

    assert before + HOUR <= row.due_at <= now() + HOUR


def test_a_zone_is_carried_over_to_utc() -> None:
    there = START.astimezone(timezone(timedelta(hours=5)))

    assert schedule(tasks.plain, at=there)(5).due_at == START


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"at": datetime(2030, 1, 1)}, ValueError),
        ({"at": datetime.max.replace(tzinfo=timezone(-HOUR))}, ValueError),
        ({"at": datetime.min.replace(tzinfo=timezone(HOUR))}, ValueError),
        ({"at": "tomorrow"}, TypeError),
        ({"at": START, "after": HOUR}, ValueError),
        ({"after": -1}, ValueError),
        ({"after": timedelta.max}, ValueError),
        ({"after": "soon"}, TypeError),
        ({"key": ""}, ValueError),
        ({"key": 5}, TypeError),
        ({"labels": "abc"}, TypeError),
        ({"labels": [""]}, ValueError),
        ({"replace": True}, ValueError),
    ],
    ids=repr,
)
def test_a_wrong_option_is_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        schedule(tasks.plain, **options)(1)

    assert not Execution.objects.exists()


def test_unknown_tasks_and_bad_arguments_are_refused() -> None:
    with pytest.raises(UnknownTask):
        schedule("tests.tasks.missing")()
    with pytest.raises(ValueError, match=r"^kwargs\[\"a\"\]"):
        schedule(tasks.echo)(a=float("nan"))
    with pytest.raises(ValueError, match="lambda"):
        schedule(lambda: None)()

    assert not Execution.objects.exists()


def test_labels_and_policies_are_on_the_row() -> None:
    row = schedule(tasks.mail, at=START, labels=["a", "b"], key="k")(1)

    assert (row.labels, row.key, row.queue_name, row.priority) == (["a", "b"], "k", "mail", 7)
    assert row.max_attempts == 4


# --- keys ---


def test_of_two_with_a_key_the_first_wins_and_is_returned() -> None:
    first = schedule(tasks.plain, at=START, key="k")(1)

    second = schedule(tasks.plain, at=START + HOUR, key="k")(2)

    assert second.pk == first.pk
    assert (second.args, second.due_at) == ([1], START)
    assert Execution.objects.count() == 1


@pytest.mark.parametrize("other", [-HOUR, HOUR])
def test_the_first_of_a_key_keeps_its_moment_in_redis_too(
    other: timedelta, redis_server: RedisServer
) -> None:
    first = schedule(tasks.plain, at=START, key="k")(1)

    schedule(tasks.plain, at=START + other, key="k")(2)

    assert moment_in_redis(redis_server, first) == due_ms(START)


def test_the_first_of_a_key_keeps_its_queue_in_redis_too(redis_server: RedisServer) -> None:
    first = schedule(tasks.plain, at=START, key="k")(1)

    schedule(tasks.mail, at=START, key="k")(2)

    assert moment_in_redis(redis_server, first) == due_ms(START)
    assert moment_in_redis(redis_server, first, "mail") is None


def test_a_key_that_is_due_runs_although_somebody_wants_it_later(work: Work) -> None:
    work()
    first = schedule(tasks.plain, key="k")(1)
    schedule(tasks.plain, at=START, key="k")(2)

    work()

    first.refresh_from_db()
    assert first.status == "succeeded"


def test_replace_cancels_the_waiting_one_and_takes_its_key(redis_server: RedisServer) -> None:
    first = schedule(tasks.plain, at=START, key="k")(1)

    second = schedule(tasks.plain, at=START + HOUR, key="k", replace=True)(2)

    first.refresh_from_db()
    assert (first.status, first.live_key) == ("cancelled", None)
    assert (second.args, second.due_at, second.status) == ([2], START + HOUR, "scheduled")
    assert ids_in_redis(redis_server.client) == {second.pk}


def test_replace_without_a_former_one_is_a_plain_schedule() -> None:
    assert schedule(tasks.plain, at=START, key="k", replace=True)(2).args == [2]


def test_replace_counts_in_the_batch_of_the_former() -> None:
    from django_agenda import Agenda

    agenda = Agenda()
    agenda.add(tasks.plain, key="k")(1)
    batch = agenda.scatter(start=START, over=HOUR)

    schedule(tasks.plain, at=START, key="k", replace=True)(2)

    batch.refresh_from_db()
    assert (batch.status, batch.cancelled) == ("cancelled", 1)


# --- many ---


def test_many_come_back_in_their_order(redis_server: RedisServer) -> None:
    calls = [Call(tasks.plain, (n,), at=START - n * HOUR) for n in range(20)]

    rows = many(calls)

    assert [row.args for row in rows] == [[n] for n in range(20)]
    assert [row.due_at for row in rows] == [START - n * HOUR for n in range(20)]
    assert ids_in_redis(redis_server.client) == {row.pk for row in rows}


def test_many_of_one_key_are_one_execution(redis_server: RedisServer) -> None:
    rows = many(Call(tasks.plain, (n,), key="k", at=START + n * HOUR) for n in range(3))

    assert len({row.pk for row in rows}) == 1
    assert rows[2].args == [0]
    assert moment_in_redis(redis_server, rows[0]) == due_ms(START)


def test_one_bad_call_of_many_leaves_nothing() -> None:
    calls = [Call(tasks.plain, (1,)), Call(tasks.plain, (float("inf"),))]

    with pytest.raises(ValueError, match="args"):
        many(calls)
    with pytest.raises(UnknownTask):
        many([*calls[:1], Call("tests.tasks.missing")])
    with pytest.raises(TypeError, match="Call"):
        many(["no call"])  # type: ignore[list-item]

    assert not Execution.objects.exists()


def test_no_calls_are_no_executions() -> None:
    assert many([]) == []


def test_a_call_without_a_moment_is_due_now() -> None:
    before = now()

    [row] = many([Call(tasks.plain)])

    assert before <= row.due_at <= now()


# --- waiting for the result ---


def test_wait_returns_what_the_task_returned(work: Work) -> None:
    row = schedule(tasks.add)(2, 3)
    work()

    assert row.wait(timeout=20) == 5
    assert row.return_value == 5


def test_wait_raises_what_became_of_it(work: Work) -> None:
    failed = schedule(tasks.fail)("sorry")
    cancelled = schedule(tasks.plain, at=START)()
    cancel(Execution.objects.filter(pk=cancelled.pk))
    work()

    with pytest.raises(ExecutionFailed, match="sorry"):
        failed.wait(timeout=20)
    with pytest.raises(ExecutionCancelled):
        cancelled.wait(timeout=20)


@pytest.mark.parametrize("timeout", [0, 0.05, timedelta(milliseconds=50)])
def test_wait_gives_up_after_its_timeout(timeout: Any) -> None:
    row = schedule(tasks.plain, at=START)()

    with pytest.raises(TimeoutError):
        row.wait(timeout=timeout)


def test_waiting_for_what_was_deleted_says_so() -> None:
    row, batch = schedule(tasks.add)(1, 2), Agenda().scatter(over=timedelta(hours=1))
    row.cancel()
    Execution.objects.filter(pk=row.pk).delete()
    Batch.objects.filter(pk=batch.pk).delete()

    with pytest.raises(AlreadyDeleted, match=f"Execution {row.pk} is gone") as refused:
        row.wait(timeout=1)
    assert refused.value.row == row
    with pytest.raises(AlreadyDeleted, match=f"Batch {batch.pk} is gone"):
        batch.wait(timeout=1)
    with pytest.raises(AlreadyDeleted):
        async_to_sync(row.await_result)(1)
    with pytest.raises(AlreadyDeleted):
        async_to_sync(batch.await_end)(1)


def test_a_result_can_be_awaited(work: Work) -> None:
    from asgiref.sync import async_to_sync

    row = schedule(tasks.add)(2, 3)
    work()

    async def result() -> Any:
        return await row.await_result()

    assert async_to_sync(result)() == 5


# --- query sets ---


@pytest.mark.parametrize("label", ["a\0b", "\ud800"])
def test_a_label_that_cannot_be_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="No label holds"):
        Execution.objects.labelled(label)


def test_query_sets_name_what_people_ask_for(work: Work) -> None:
    ended = schedule(tasks.plain)(1)
    work()
    due = schedule(tasks.plain, at=now() - timedelta(minutes=5))(2)
    waiting = schedule(tasks.plain, at=START)(3)

    assert set(Execution.objects.due()) == {due}
    assert (
        set(Execution.objects.live()) == set(Execution.objects.all().unfinished()) == {due, waiting}
    )
    assert set(Execution.objects.late(by=timedelta(minutes=1))) == {due}
    assert ended not in Execution.objects.live()

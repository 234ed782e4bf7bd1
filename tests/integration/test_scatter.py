"""scatter(): what it checks, what it writes, and when things land."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import transaction

from django_agenda import Agenda, Call, UnknownTask
from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from tests import tasks
from tests.conftest import RedisServer
from tests.naming import named
from tests.sound import assert_counters_equal_rows, ids_in_redis

from .conftest import Configure, Work, statuses

START = datetime(2030, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def agenda_of(count: int, task: Any = tasks.plain) -> Agenda:
    agenda = Agenda()
    for number in range(count):
        agenda.add(task)(number)
    return agenda


def moments(batch: Batch) -> list[datetime]:
    return list(batch.executions.order_by("position").values_list("due_at", flat=True))


def assert_nothing_remains(redis_server: RedisServer) -> None:
    assert not Batch.objects.exists()
    assert not Execution.objects.exists()
    assert not ids_in_redis(redis_server.client)


# --- times ---


def test_a_single_call_lands_on_the_midpoint() -> None:
    batch = agenda_of(1).scatter(start=START, over=timedelta(minutes=50))

    assert moments(batch) == [START + timedelta(minutes=25)]


@pytest.mark.parametrize("count", [2, 3, 7, 50])
def test_calls_are_evenly_apart_and_the_last_is_exactly_at_the_end(count: int) -> None:
    batch = agenda_of(count).scatter(start=START, over=HOUR)

    assert moments(batch) == [START + HOUR * i / (count - 1) for i in range(count)]
    assert moments(batch)[-1] == START + HOUR


def test_a_start_in_another_zone_means_the_same_instant() -> None:
    there = START.astimezone(timezone(timedelta(hours=-7)))

    batch = agenda_of(2).scatter(start=there, over=HOUR)

    assert moments(batch) == [START, START + HOUR]
    assert batch.start == START


def test_without_a_start_the_window_begins_now() -> None:
    before = now()
    batch = agenda_of(2).scatter(over=HOUR)
    after = now()

    assert before <= batch.start <= after
    assert moments(batch) == [batch.start, batch.start + HOUR]


def test_jitter_stays_in_the_window_and_a_seed_repeats_it() -> None:
    agenda, jitter = agenda_of(40), timedelta(minutes=10)

    one, two, other = (
        agenda.scatter(start=START, over=HOUR, jitter=jitter, seed=seed) for seed in (7, 7, 8)
    )

    assert moments(one) == moments(two) != moments(other)
    assert all(START <= moment <= START + HOUR for moment in moments(one))
    slots = [START + HOUR * i / 39 for i in range(40)]
    assert all(abs(a - b) <= jitter for a, b in zip(moments(one), slots, strict=True))


@pytest.mark.parametrize("strategy", ["even", "random", "poisson", "ramp"])
def test_preview_tells_what_a_scatter_with_the_same_seed_does(strategy: str) -> None:
    agenda = agenda_of(20)
    options: dict[str, Any] = {"start": START, "over": HOUR, "strategy": strategy, "seed": 3}

    preview = agenda.preview(**options, jitter=timedelta(seconds=5))
    assert not Batch.objects.exists()
    batch = agenda.scatter(**options, jitter=timedelta(seconds=5))

    assert isinstance(preview, list)
    assert preview == moments(batch)
    assert batch.strategy == strategy
    assert batch.seed == 3
    assert batch.jitter == timedelta(seconds=5)


def test_a_callable_strategy_gets_count_window_and_generator() -> None:
    seen: list[Any] = []

    def at_the_end(count: int, window: Any, rng: Any) -> list[timedelta]:
        seen.append((count, window.start, window.over, rng.random()))
        return [window.over] * count

    batch = agenda_of(3).scatter(start=START, over=HOUR, strategy=at_the_end, seed=1)

    assert moments(batch) == [START + HOUR] * 3
    assert seen[0][:3] == (3, START, HOUR)


def test_executions_keep_the_order_in_which_the_calls_were_added() -> None:
    batch = agenda_of(25).scatter(start=START, over=HOUR, strategy="random", seed=1)

    assert [row.args for row in batch.executions.all()] == [[number] for number in range(25)]
    assert [row.position for row in batch.executions.all()] == list(range(25))


def test_a_window_in_the_past_runs_at_once(work: Work) -> None:
    batch = agenda_of(5).scatter(start=now() - HOUR, over=timedelta(minutes=1))

    work()

    assert statuses(batch) == ["succeeded"] * 5
    assert batch.executions.filter(lag_ms__gt=3_000_000).count() == 5


# --- what is written ---


def test_a_batch_holds_what_the_scatter_was_given() -> None:
    batch = agenda_of(3).scatter(
        start=START, over=HOUR, name="newsletter", labels=["a", "b"], queue_name="mail", priority=9
    )

    assert (batch.name, batch.labels, batch.over) == ("newsletter", ["a", "b"], HOUR)
    assert isinstance(batch.pk, int)
    assert str(batch.created_at.tzinfo) == "UTC"
    assert {row.queue_name for row in batch.executions.all()} == {"mail"}
    assert {row.priority for row in batch.executions.all()} == {9}


def test_what_a_scatter_does_not_say_is_left_to_the_task() -> None:
    batch = agenda_of(1, tasks.mail).scatter(start=START, over=HOUR)

    row = batch.executions.get()
    assert (row.queue_name, row.priority, row.max_attempts) == ("mail", 7, 4)
    assert row.expires_at == row.due_at + HOUR


def test_expires_of_a_scatter_wins_over_the_task() -> None:
    batch = agenda_of(1, tasks.mail).scatter(start=START, over=HOUR, expires=60)

    row = batch.executions.get()
    assert row.expires_at == row.due_at + timedelta(minutes=1)


def test_a_call_carries_labels_of_its_own_beside_those_of_the_batch() -> None:
    agenda = Agenda([Call(tasks.plain, labels=["own"]), Call(tasks.plain)])

    batch = agenda.scatter(start=START, over=HOUR, labels=["all"])

    assert [row.labels for row in batch.executions.all()] == [["all", "own"], ["all"]]


def test_outside_a_transaction_the_batch_comes_back_as_redis_was_told(
    redis_server: RedisServer,
) -> None:
    batch = agenda_of(12).scatter(start=START, over=HOUR)

    assert (batch.status, batch.total, batch.scheduled, batch.enqueued) == ("scheduled", 12, 12, 12)
    assert ids_in_redis(redis_server.client) == set(batch.executions.values_list("pk", flat=True))
    assert_counters_equal_rows(batch)


def test_an_agenda_can_be_scattered_any_number_of_times() -> None:
    agenda = agenda_of(3)

    one, two = agenda.scatter(start=START, over=HOUR), agenda.scatter(start=START, over=HOUR)

    assert one.pk != two.pk
    assert one.executions.count() == two.executions.count() == 3
    assert len(agenda) == 3


def test_typed_arguments_come_back_as_they_were() -> None:
    given: dict[str, Any] = {
        "day": START.date(),
        "moment": START,
        "time": START.time(),
        "wait": timedelta(microseconds=1),
        "price": Decimal("1.10"),
        "id": uuid4(),
        "float": 1e22,
        "minus zero": -0.0,
        "text": 'quote " back \\ snow ☃ 😀',
        "$type": "no type at all",
    }
    agenda = Agenda()
    agenda.add(tasks.echo)((1, 2), **given)

    row = agenda.scatter(start=START, over=HOUR).executions.get()

    assert row.kwargs == given
    assert math.copysign(1, row.kwargs["minus zero"]) == -1
    assert row.args == [[1, 2]]
    assert {name: type(value) for name, value in row.kwargs.items()} == {
        name: type(value) for name, value in given.items()
    }


def test_an_empty_agenda_gives_a_finished_batch() -> None:
    batch = Agenda().scatter(over=HOUR)

    assert (batch.total, batch.status, batch.executions.count()) == (0, "succeeded", 0)
    assert batch.finished_at is not None
    assert batch.progress == 1
    assert_counters_equal_rows(batch)


def test_a_task_can_be_named_in_three_ways() -> None:
    agenda = Agenda()
    agenda.add(tasks.add)(1, 2)
    agenda.add(tasks.plain)(1)
    agenda.add("tests.tasks.add")(3, 4)

    batch = agenda.scatter(start=START, over=HOUR)

    names = [row.task_name for row in batch.executions.all()]
    assert names == ["tests.tasks.add", "tests.tasks.plain", "tests.tasks.add"]


def test_ascatter_does_what_scatter_does() -> None:
    batch = async_to_sync(agenda_of(4).ascatter)(start=START, over=HOUR, name="async")

    assert (batch.total, batch.status, batch.name) == (4, "scheduled", "async")


def test_ascatter_refuses_what_scatter_refuses() -> None:
    with pytest.raises(ValueError, match="'over' parameter must be a positive duration"):
        async_to_sync(Agenda().ascatter)(over=timedelta(0))


# --- refusals: all before anything is written ---


def test_over_is_required() -> None:
    with pytest.raises(TypeError):
        agenda_of(1).scatter()  # type: ignore[call-arg]


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("over", [timedelta(0), timedelta(seconds=-1)])
def test_over_must_be_positive_even_for_an_empty_agenda(
    count: int, over: timedelta, redis_server: RedisServer
) -> None:
    with pytest.raises(ValueError, match=r"^'over' parameter must be a positive duration$"):
        agenda_of(count).scatter(over=over)

    assert_nothing_remains(redis_server)


@pytest.mark.parametrize(
    "options",
    [
        {"start": datetime(2030, 1, 1)},
        {"jitter": timedelta(seconds=-1)},
        {"start": datetime(9999, 12, 31, 23, 30, tzinfo=UTC)},
        {"over": timedelta.max},
        {"start": datetime(9999, 12, 31, 22, tzinfo=UTC), "expires": timedelta(days=2)},
        {"strategy": "sideways"},
        {"queue_name": "No Spaces"},
        {"queue_name": ""},
        {"priority": 101},
        {"priority": -101},
        {"expires": -1},
        {"expires": float("nan")},
        {"name": "x" * 256},
        {"name": "a\0b"},
        {"name": "\ud800"},
        {"jitter": timedelta.max},
        {"key": ""},
        {"key": "x" * 256},
        {"labels": ["x" * 65]},
        {"seed": 2**70},
    ],
    ids=named,
)
def test_a_wrong_value_is_a_value_error_and_nothing_remains(
    options: dict[str, Any], redis_server: RedisServer
) -> None:
    with pytest.raises(ValueError, match=r"."):
        agenda_of(2).scatter(**{"over": HOUR} | options)

    assert_nothing_remains(redis_server)


@pytest.mark.parametrize(
    "options",
    [
        {"over": 3600},
        {"start": "now"},
        {"jitter": 5},
        {"strategy": 5},
        {"priority": 1.5},
        {"priority": True},
        {"key": 7},
        {"name": None},
        {"labels": "a"},
        {"seed": "x"},
        {"on_success": 5},
    ],
    ids=named,
)
def test_a_value_of_the_wrong_type_is_a_type_error_and_nothing_remains(
    options: dict[str, Any], redis_server: RedisServer
) -> None:
    with pytest.raises(TypeError):
        agenda_of(2).scatter(**{"over": HOUR} | options)

    assert_nothing_remains(redis_server)


@pytest.mark.parametrize("name", ["os.system", "tests.tasks.missing", "nowhere", "", "..", "a.b.c"])
def test_an_unknown_name_schedules_nothing(name: str, redis_server: RedisServer) -> None:
    agenda = agenda_of(2)

    with pytest.raises(UnknownTask) as caught:  # noqa: PT012  either of the two may say so
        agenda.add(name)(1)
        agenda.scatter(over=HOUR)

    assert isinstance(caught.value, KeyError)
    assert str(caught.value) == f"Task {name!r} is not registered"
    assert_nothing_remains(redis_server)


@pytest.mark.parametrize("event", ["on_success", "on_failure", "on_complete"])
def test_an_unknown_callback_schedules_nothing(event: str, redis_server: RedisServer) -> None:
    options: dict[str, Any] = {event: "tests.tasks.missing"}

    with pytest.raises(UnknownTask):
        agenda_of(2).scatter(over=HOUR, **options)

    assert_nothing_remains(redis_server)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        ("a\0b", ValueError),
        ("\ud800", ValueError),
        ({1: 2}, TypeError),
        ({1, 2}, TypeError),
        (b"bytes", TypeError),
        (object(), TypeError),
    ],
    ids=named,
)
def test_arguments_that_are_not_json_are_refused_by_their_path(
    value: Any, error: type[Exception], redis_server: RedisServer
) -> None:
    agenda = agenda_of(2)
    agenda.add(tasks.echo)(order={"items": [0, {"total": value}]})

    with pytest.raises(error) as caught:
        agenda.scatter(over=HOUR)

    assert str(caught.value).startswith('kwargs["order"]["items"][1]["total"]')
    assert_nothing_remains(redis_server)


def test_a_model_instance_is_refused(redis_server: RedisServer) -> None:
    agenda = Agenda()
    agenda.add(tasks.echo)(User(username="ann"))

    with pytest.raises(TypeError, match=r"^args\[0\]"):
        agenda.scatter(over=HOUR)

    assert_nothing_remains(redis_server)


def test_an_unknown_name_is_told_before_arguments_that_are_not_json() -> None:
    agenda = Agenda()
    agenda.add(tasks.echo)({1, 2})
    agenda.add("tests.tasks.missing")()

    with pytest.raises(UnknownTask):
        agenda.scatter(over=HOUR)


def test_a_payload_over_the_limit_is_refused(
    configure: Configure, redis_server: RedisServer
) -> None:
    configure(MAX_PAYLOAD_BYTES=100)
    agenda = Agenda()
    agenda.add(tasks.echo)("x" * 101)

    with pytest.raises(ValueError, match="100"):
        agenda.scatter(over=HOUR)

    assert_nothing_remains(redis_server)


def test_a_refusal_inside_a_transaction_leaves_it_usable(redis_server: RedisServer) -> None:
    agenda = Agenda()
    agenda.add(tasks.echo)(float("nan"))

    with transaction.atomic():
        with pytest.raises(ValueError, match="args"):
            agenda.scatter(over=HOUR)
        User.objects.create(username="ann")

    assert User.objects.count() == 1
    assert_nothing_remains(redis_server)


# --- generators ---


def calls(count: int) -> Iterator[Call]:
    return (Call(tasks.plain, (number,)) for number in range(count))


def test_a_generator_is_written_chunk_by_chunk(configure: Configure) -> None:
    configure(CHUNK_SIZE=10)

    batch = Agenda(calls(35), count=35).scatter(start=START, over=HOUR)

    assert moments(batch) == [START + HOUR * i / 34 for i in range(35)]
    assert [row.args[0] for row in batch.executions.all()] == list(range(35))
    assert (batch.total, batch.scheduled, batch.enqueued) == (35, 35, 35)


@pytest.mark.parametrize("given", [0, 9, 10, 11, 19, 21, 30])
def test_a_wrong_count_is_a_value_error_and_nothing_remains(
    given: int, configure: Configure, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=10)

    with pytest.raises(ValueError, match=r"."):
        Agenda(calls(given), count=20).scatter(start=START, over=HOUR)

    assert_nothing_remains(redis_server)


def test_a_generator_needs_its_count() -> None:
    with pytest.raises(ValueError, match="count"):
        Agenda(calls(3))


@pytest.mark.parametrize("count", [-1, True, 2.0, "3", 2**31])
def test_a_count_must_be_a_whole_number(count: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        Agenda(calls(3), count=count)


def test_a_count_that_differs_from_a_list_is_refused() -> None:
    with pytest.raises(ValueError, match="2"):
        Agenda(list(calls(3)), count=2).scatter(start=START, over=HOUR)


def test_a_consumed_generator_cannot_be_scattered_again(redis_server: RedisServer) -> None:
    agenda = Agenda(calls(3), count=3)
    agenda.scatter(start=START, over=HOUR)

    with pytest.raises(ValueError, match=r"."):
        agenda.scatter(start=START, over=HOUR)

    assert Batch.objects.count() == 1
    assert len(ids_in_redis(redis_server.client)) == 3


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (Call("tests.tasks.missing"), UnknownTask),
        (Call(tasks.plain, (float("nan"),)), ValueError),
        (Call(tasks.plain, key="x" * 256), ValueError),
        (Call(tasks.plain, at=START), ValueError),
        (Call(lambda: None), ValueError),
        (Call(tasks.plain, labels="abc"), TypeError),
        ("no call", TypeError),
        (None, TypeError),
    ],
    ids=named,
)
def test_an_error_in_the_middle_of_a_generator_leaves_nothing(
    bad: Any, error: type[Exception], configure: Configure, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=5)

    def broken() -> Iterator[Any]:
        yield from calls(12)
        yield bad
        yield from calls(7)

    with pytest.raises(error):
        Agenda(broken(), count=20).scatter(start=START, over=HOUR)

    assert_nothing_remains(redis_server)


def test_an_error_of_the_generator_itself_comes_through(
    configure: Configure, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=5)

    def broken() -> Iterator[Call]:
        yield from calls(12)
        raise ZeroDivisionError("the file ended")

    with pytest.raises(ZeroDivisionError):
        Agenda(broken(), count=20).scatter(start=START, over=HOUR)

    assert_nothing_remains(redis_server)


# --- progress ---


def test_progress_is_told_up_to_the_total(configure: Configure) -> None:
    configure(CHUNK_SIZE=10)
    told: list[tuple[int, int]] = []

    agenda_of(25).scatter(start=START, over=HOUR, progress=lambda *now: told.append(now))

    assert told == [(10, 25), (20, 25), (25, 25)]


def test_an_error_of_progress_undoes_the_scatter(
    configure: Configure, redis_server: RedisServer
) -> None:
    configure(CHUNK_SIZE=10)

    def stop(done: int, total: int) -> None:
        if done == 20:
            raise InterruptedError("the user has had enough")

    with pytest.raises(InterruptedError):
        agenda_of(25).scatter(start=START, over=HOUR, progress=stop)

    assert_nothing_remains(redis_server)

"""Rescheduling: another moment for what waits, and for nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from django_agenda import Agenda, Call, pause_queue, resume_queue, schedule
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Worker
from django_agenda.worker.claims import claim
from django_agenda.worker.record import record
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows, ids_in_redis, moments_in_redis

from .conftest import Configure, RunningWorker, Work
from .control import DEFAULT, HOUR, START, batch_of, outcome, overdue, take

LATER = START + timedelta(days=3)


def offsets(batch: Batch) -> list[int]:
    return list(batch.executions.values_list("planned_offset_ms", flat=True))


def due(rows: Any) -> list[datetime]:
    return list(rows.order_by("position").values_list("due_at", flat=True))


def test_a_moment_is_set_and_redis_follows(redis_server: RedisServer) -> None:
    row = schedule(tasks.mail, at=START)()

    assert row.reschedule(at=LATER) is True

    assert row.due_at == LATER
    assert row.expires_at == LATER + HOUR
    moments = moments_in_redis(redis_server.client)
    assert moments == {row.pk: int(LATER.timestamp() * 1000)}
    row.cancel()


def test_a_moment_of_another_zone_is_the_same_moment() -> None:
    from zoneinfo import ZoneInfo

    row = schedule(tasks.plain, at=START)()

    row.reschedule(at=LATER.astimezone(ZoneInfo("Asia/Kathmandu")))

    assert row.due_at == LATER


@pytest.mark.parametrize("by", [HOUR, -HOUR, timedelta(microseconds=1)])
def test_all_are_moved_by_the_same(by: timedelta, configure: Configure) -> None:
    configure(CHUNK_SIZE=2)
    batch = batch_of(count=5)
    before = due(batch.executions)

    assert batch.executions.reschedule(by=by) == 5

    assert due(batch.executions) == [moment + by for moment in before]


def test_many_are_spread_in_the_order_of_their_moments(configure: Configure) -> None:
    configure(CHUNK_SIZE=2)
    rows = [schedule(tasks.plain, at=START - n * HOUR)() for n in range(5)]
    began = now()

    assert Execution.objects.reschedule(over=4 * HOUR) == 5

    after = [Execution.objects.get(pk=row.pk).due_at - began for row in rows]
    assert [round(passed / HOUR, 3) for passed in after] == [4, 3, 2, 1, 0]


def test_one_alone_lands_on_the_midpoint() -> None:
    row = schedule(tasks.plain, at=START)()
    began = now()

    row.reschedule(over=HOUR)

    assert round((row.due_at - began) / HOUR, 3) == 0.5


def test_a_member_of_a_batch_shows_its_new_plan_and_keeps_its_slot() -> None:
    batch = batch_of(count=3)

    batch.executions.filter(position=1).reschedule(by=timedelta(minutes=7))

    assert offsets(batch) == [0, 37 * 60_000, 60 * 60_000]
    slots = list(batch.executions.values_list("slot_offset_ms", flat=True))
    assert slots == [0, 30 * 60_000, 60 * 60_000]


def test_what_is_brought_forward_runs(work: Work) -> None:
    row = schedule(tasks.add, at=START)(1, 2)

    with RunningWorker():
        row.reschedule(at=now())
        assert row.wait(20) == 3


def test_what_is_put_off_does_not_run(work: Work) -> None:
    row = schedule(tasks.add)(1, 2)

    row.reschedule(at=START)
    work()

    row.refresh_from_db()
    assert row.status == "scheduled"


def test_a_stale_entry_of_redis_does_not_start_it_early(
    redis_server: RedisServer, work: Work
) -> None:
    row = schedule(tasks.add)(1, 2)
    Execution.objects.update(due_at=START)  # as if Redis had not been told yet

    work()

    row.refresh_from_db()
    assert row.status == "scheduled"
    assert moments_in_redis(redis_server.client) == {row.pk: int(START.timestamp() * 1000)}


def test_held_and_pending_ones_are_moved_and_stay_what_they_are(redis_server: RedisServer) -> None:
    batch = batch_of(count=2)
    batch.pause()
    redis_server.kill()
    pending = schedule(tasks.plain, at=START)()
    redis_server.start()

    assert Execution.objects.reschedule(at=LATER) == 3

    assert set(due(Execution.objects.all())) == {LATER}
    assert set(batch.executions.values_list("held_by", flat=True)) == {"batch paused"}
    pending.refresh_from_db()
    assert pending.status == "pending"
    assert ids_in_redis(redis_server.client) == set()
    batch.resume()
    assert len(ids_in_redis(redis_server.client)) == 2


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "missed", "cancelled"])
def test_what_does_not_wait_is_not_moved(status: str, living_worker: Worker) -> None:
    row = schedule(tasks.plain)()
    ended = None if status == "running" else now()
    Execution.objects.update(status=status, finished_at=ended)

    assert Execution.objects.reschedule(at=START) == 0

    assert Execution.objects.get().due_at == row.due_at
    Execution.objects.update(status="cancelled", finished_at=now(), live_key=None)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({}, "exactly one"),
        ({"at": START, "by": HOUR}, "exactly one"),
        ({"by": HOUR, "over": HOUR}, "exactly one"),
        ({"at": datetime(2030, 1, 1)}, "naive"),
        ({"over": timedelta(0)}, "'over'"),
        ({"over": -HOUR}, "'over'"),
        ({"over": timedelta.max}, "9999"),
        ({"by": timedelta.max}, "9999"),
        ({"by": timedelta.min}, "9999"),
        ({"by": timedelta(days=365 * 7990)}, "9999"),
        ({"at": datetime.max.replace(tzinfo=UTC)}, "9999"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_and_nothing_is_changed(
    wish: dict[str, Any], words: str
) -> None:
    batch = batch_of(Call(tasks.mail), Call(tasks.plain))
    before = due(batch.executions)

    with pytest.raises(ValueError, match=words):
        batch.executions.reschedule(**wish)

    assert due(batch.executions) == before


@pytest.mark.parametrize("wish", [{"at": "noon"}, {"by": 60}, {"over": 60}])
def test_a_wish_of_another_kind_is_a_type_error(wish: dict[str, Any]) -> None:
    row = schedule(tasks.plain, at=START)()

    with pytest.raises(TypeError):
        row.reschedule(**wish)


def test_a_reschedule_that_is_rolled_back_changes_nothing(redis_server: RedisServer) -> None:
    row = schedule(tasks.plain, at=START)()
    before = moments_in_redis(redis_server.client)

    with transaction.atomic():
        assert row.reschedule(at=LATER)
        transaction.set_rollback(True)

    row.refresh_from_db()
    assert row.due_at == START
    assert moments_in_redis(redis_server.client) == before


def test_redis_that_is_down_does_no_harm(redis_server: RedisServer, work: Work) -> None:
    row = schedule(tasks.add, at=START)(1, 2)
    redis_server.kill()
    assert row.reschedule(at=now()) is True
    redis_server.start()

    with RunningWorker():
        assert row.wait(20) == 3


# --- each its own ---


def test_each_gets_its_own_moment_by_key_or_id(redis_server: RedisServer) -> None:
    one = schedule(tasks.plain, at=START, key="a")()
    two = schedule(tasks.plain, at=START)()
    three = schedule(tasks.plain, at=START)()
    four = schedule(tasks.plain, at=START)()
    wanted = {"a": 1, two.pk: 2, str(three.pk): 3, four: 4}

    count = Execution.objects.reschedule_each(
        {name: START + hours * HOUR for name, hours in wanted.items()}
    )

    assert count == 4
    for row, hours in zip((one, two, three, four), range(1, 5), strict=True):
        row.refresh_from_db()
        assert row.due_at == START + hours * HOUR
    assert len(set(moments_in_redis(redis_server.client).values())) == 4


def test_a_key_means_its_living_execution(work: Work) -> None:
    former = schedule(tasks.plain, key="a")()
    work()
    living = schedule(tasks.plain, key="a", at=START)()

    assert Execution.objects.reschedule_each({"a": LATER}) == 1

    living.refresh_from_db()
    former.refresh_from_db()
    assert living.due_at == LATER != former.due_at


def test_what_has_ended_or_runs_is_passed_over(living_worker: Worker, work: Work) -> None:
    ended = schedule(tasks.plain, key="a")()
    work()
    runs = schedule(tasks.plain, key="b")()
    [one] = take(living_worker, runs)

    assert Execution.objects.reschedule_each({"a": START, ended.pk: START, "b": START}) == 0

    record(DEFAULT, living_worker, [outcome(one)])


@pytest.mark.parametrize("name", ["nobody", UUID(int=7), str(UUID(int=7)), "a\0b", "\ud800"])
def test_an_unknown_name_is_refused_and_nothing_is_changed(name: Any) -> None:
    row = schedule(tasks.plain, at=START, key="a")()

    with pytest.raises(ValueError, match=f"^There is no execution .* {re.escape(repr(name))}$"):
        Execution.objects.reschedule_each({"a": LATER, name: LATER})

    row.refresh_from_db()
    assert row.due_at == START


@pytest.mark.parametrize("moment", [datetime(2030, 1, 1), datetime.max.replace(tzinfo=UTC)])
def test_a_wrong_moment_is_refused_and_nothing_is_changed(moment: datetime) -> None:
    row = schedule(tasks.mail, at=START, key="a")()
    other = schedule(tasks.mail, at=START, key="b")()

    with pytest.raises(ValueError, match=r"moments.'b'"):
        Execution.objects.reschedule_each({"a": LATER, "b": moment})

    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.due_at, other.due_at) == (START, START)


@pytest.mark.parametrize("moments", [[LATER], None, "a"])
def test_moments_that_are_no_dict_are_a_type_error(moments: Any) -> None:
    with pytest.raises(TypeError, match="must be a dict by key or id, not"):
        Execution.objects.reschedule_each(moments)


def test_a_thing_that_is_no_name_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="7"):
        Execution.objects.reschedule_each({7: LATER})


def test_only_what_is_in_the_set_is_known() -> None:
    schedule(tasks.plain, at=START, key="a")()

    with pytest.raises(ValueError, match="'a'"):
        Execution.objects.filter(queue_name="mail").reschedule_each({"a": LATER})


def test_thousands_are_rescheduled_each(configure: Configure) -> None:
    configure(CHUNK_SIZE=100)
    calls = [Call(tasks.plain, key=f"k{n}") for n in range(450)]
    batch = batch_of(*calls)

    count = Execution.objects.reschedule_each(
        {f"k{n}": LATER + n * timedelta(seconds=1) for n in range(450)}
    )

    assert count == 450
    assert due(batch.executions) == [LATER + n * timedelta(seconds=1) for n in range(450)]


# --- respread ---


def test_respread_widens_the_window_as_it_stands_and_not_as_an_old_instance_has_it() -> None:
    batch = batch_of()
    stale = Batch.objects.get(pk=batch.pk)
    batch.respread(5 * HOUR, start=START)

    stale.respread(2 * HOUR, start=START)

    assert Batch.objects.get(pk=batch.pk).over == 5 * HOUR
    batch.cancel()


def test_what_has_not_started_is_spread_anew(living_worker: Worker) -> None:
    batch = overdue(count=5)
    [one] = take(living_worker, batch.executions.all()[2])
    record(DEFAULT, living_worker, [outcome(one)])

    assert batch.respread(3 * HOUR, start=START) == 4

    moments = due(batch.executions)
    assert [moments[n] for n in (0, 1, 3, 4)] == [START + n * HOUR for n in range(4)]
    assert batch.end == START + 3 * HOUR
    assert offsets(batch)[0] == (START - batch.start) // timedelta(milliseconds=1)
    assert_counters_equal_rows(batch)


def test_a_window_that_becomes_shorter_keeps_the_batch_as_it_was() -> None:
    batch = batch_of(count=3, over=10 * HOUR)

    batch.respread(HOUR, start=START)

    assert (batch.start, batch.over) == (START, 10 * HOUR)
    assert due(batch.executions)[-1] == START + HOUR


def test_a_paused_batch_is_spread_and_stays_paused() -> None:
    batch = overdue(count=3)
    batch.pause()
    began = now()

    assert batch.respread(HOUR) == 3

    assert batch.status == "paused"
    assert round((due(batch.executions)[-1] - began) / HOUR, 3) == 1
    batch.resume()


@pytest.mark.parametrize(
    ("over", "start"),
    [(timedelta(0), None), (-HOUR, None), (HOUR, datetime(2030, 1, 1)), (timedelta.max, None)],
)
def test_a_spread_that_cannot_be_is_refused(over: timedelta, start: datetime | None) -> None:
    batch = batch_of()
    before = due(batch.executions)

    with pytest.raises(ValueError, match=r"over|naive|9999"):
        batch.respread(over, start=start)

    assert due(batch.executions) == before


def test_what_would_expire_beyond_9999_is_refused() -> None:
    batch = Agenda([Call(tasks.mail)]).scatter(over=HOUR, start=START)

    with pytest.raises(ValueError, match="9999"):
        batch.respread(HOUR, start=datetime(9999, 12, 31, 22, 30, tzinfo=UTC))


def test_a_claim_refuses_what_was_put_off_meanwhile(living_worker: Worker) -> None:
    row = schedule(tasks.plain)()
    row.reschedule(at=START)

    claimed = claim(DEFAULT, living_worker, [row.pk.hex], moment=now(), starts=0.0, horizon=now())

    assert claimed.claims == []


@pytest.mark.parametrize("verb", ["resume", "resume_queue", "retry"])
def test_a_spread_on_which_something_would_expire_after_9999_is_refused(verb: str) -> None:
    millennia = timedelta(days=365 * 3000)
    rows = [schedule(tasks.mail, at=now() - HOUR)() for _ in range(2)]
    Execution.objects.update(expires_ms=millennia // timedelta(milliseconds=1))
    found = Execution.objects.filter(pk__in=[row.pk for row in rows])
    prepare: dict[str, Any] = {
        "resume": found.pause,
        "resume_queue": lambda: pause_queue(rows[0].queue_name),
        "retry": found.cancel,
    }
    do: dict[str, Any] = {
        "resume": found.resume,
        "resume_queue": lambda over: resume_queue(rows[0].queue_name, over=over),
        "retry": found.retry,
    }
    prepare[verb]()
    before = list(found.order_by("pk").values())

    with pytest.raises(ValueError, match="beyond the years 1 to 9999"):
        do[verb](over=timedelta(days=365 * 7000))

    assert list(found.order_by("pk").values()) == before
    found.cancel()
    resume_queue(rows[0].queue_name)

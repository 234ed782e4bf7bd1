"""Strikes hold and lose nothing: what is scheduled, what comes due, and what is in hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from django_agenda import (
    Agenda,
    Call,
    Limit,
    UnknownTask,
    restore,
    schedule,
    schedule_many,
    strike,
    task,
)
from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Schedule, Strike, Worker
from django_agenda.scheduling import struck
from django_agenda.scheduling.reconcile import miss_expired
from django_agenda.scheduling.repair import reconcile
from django_agenda.scheduling.restore import release_orphans
from django_agenda.scheduling.tick import fire_due
from django_agenda.worker.claims import claim
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import ids_in_redis
from tests.spoiling import spoil
from tests.waiting import wait_until

from .conftest import RunningWorker, Work
from .control import DEFAULT, HOUR, START, batch_of, overdue, take

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _all_restored(_everything_holds: None) -> Iterator[None]:
    yield
    Strike.objects.all().delete()
    release_orphans(DEFAULT)


def add_calls(*numbers: int) -> list[Call]:
    return [Call(tasks.add, (number, 0)) for number in numbers]


def test_what_cannot_be_decoded_holds_nothing_here_and_stops_nobody(work: Work) -> None:
    """As a newer version has written it, which was then taken back."""
    strike(tasks.add, "a", "==", 2)
    spoil(strike(tasks.add, "a", "==", 3), "value")
    batch = overdue(*add_calls(1, 2, 3))

    work()

    assert held(batch) == [2]
    batch.refresh_from_db()
    assert batch.succeeded == 2


def held(batch: Batch | None = None) -> list[Any]:
    rows = Execution.objects.filter(held_by__startswith="strike ")
    rows = rows if batch is None else rows.filter(batch=batch)
    return [row.args[0] for row in rows.order_by("position", "pk")]


def test_what_matches_is_held_when_it_is_scattered_and_runs_when_it_is_restored(work: Work) -> None:
    made = strike(tasks.add, "a", ">=", 3)
    batch = overdue(*add_calls(1, 2, 3, 4))

    work()

    assert held(batch) == [3, 4]
    row = batch.executions.get(position=2)
    assert (row.status, row.held_by, row.attempts) == ("scheduled", made.held_by, 0)
    batch.refresh_from_db()
    assert (batch.succeeded, batch.scheduled, batch.is_finished) == (2, 2, False)
    assert batch.enqueued == 2

    assert restore(tasks.add, "a", ">=", 3) == 2
    work()

    batch.refresh_from_db()
    assert (batch.status, batch.enqueued) == ("succeeded", 4)
    assert not Strike.objects.exists()


def test_what_waits_already_is_held_when_it_comes_due_and_its_attempt_is_not_counted(
    work: Work, redis_server: RedisServer
) -> None:
    batch = overdue(*add_calls(1, 2, 3))
    strike(tasks.add, "a", "==", 2)

    work()

    assert held(batch) == [2]
    row = batch.executions.get(position=1)
    assert (row.status, row.attempts, row.started_at, row.worker) == ("scheduled", 0, None, "")
    assert ids_in_redis(redis_server.client) == set()


def test_a_struck_batch_that_was_never_started_does_not_look_started(work: Work) -> None:
    batch = overdue(*add_calls(1, 2))
    strike(tasks.add)

    work()

    batch.refresh_from_db()
    assert (batch.status, batch.started_at, batch.scheduled) == ("scheduled", None, 2)


def test_single_executions_are_held_too_and_keep_their_key() -> None:
    strike(tasks.add, "a", "==", 7)

    row = schedule(tasks.add, key="u-7")(7, 0)
    again = schedule(tasks.add, key="u-7")(8, 0)
    one, other = schedule_many(add_calls(7, 8))

    assert row.held_by
    assert again.pk == row.pk
    assert (bool(one.held_by), bool(other.held_by)) == (True, False)


def test_only_what_a_strike_holds_is_not_told_to_the_broker(redis_server: RedisServer) -> None:
    strike(tasks.add, "a", "==", 7)

    batch = batch_of(*add_calls(7, 8))
    schedule(tasks.add, at=START)(7, 1)

    assert ids_in_redis(redis_server.client) == {batch.executions.get(position=1).pk}
    assert batch.status == "scheduled"


def test_defaults_and_names_count_as_arguments() -> None:
    strike(tasks.note, "word", "==", "ran")

    assert schedule(tasks.note, at=START)("path").held_by
    assert schedule(tasks.note, at=START)(path="x", word="ran").held_by
    assert not schedule(tasks.note, at=START)("path", "other").held_by


def test_a_strike_without_a_task_holds_any_call_with_such_an_argument() -> None:
    strike(parameter="number", operator="between", value=(3, 5))

    rows = [schedule(task, at=START)(4) for task in (tasks.plain, tasks.mail, tasks.urgent)]

    assert all(row.held_by for row in rows)
    assert not schedule(tasks.plain, at=START)(6).held_by
    assert not schedule(tasks.add, at=START)(4, 4).held_by


def test_a_strike_without_a_parameter_holds_the_whole_task() -> None:
    strike(tasks.add)

    assert schedule(tasks.add, at=START)(1, 2).held_by
    assert not schedule(tasks.plain, at=START)().held_by


def test_typed_values_are_compared_as_what_they_are() -> None:
    moment = datetime(2030, 5, 1, tzinfo=UTC)
    strike(tasks.echo, "since", ">", moment)
    made = strike(tasks.echo, "pair", "==", (1, 2))

    assert schedule(tasks.echo, at=START)(since=moment + SECOND).held_by
    assert not schedule(tasks.echo, at=START)(since=moment).held_by
    assert not schedule(tasks.echo, at=START)(since="2031").held_by
    assert schedule(tasks.echo, at=START)(pair=(1, 2)).held_by == made.held_by


def test_striking_twice_is_one_strike() -> None:
    one = strike(tasks.add, "a", "==", 60, reason="first")
    other = strike("tests.tasks.add", "a", value=60.0, reason="second")

    assert one.pk == other.pk
    assert Strike.objects.get().reason == "first"
    assert str(one) == "add where a == 60"


def test_a_secret_value_is_not_in_the_words() -> None:
    assert "4111" not in str(strike(tasks.fail_to_pay, "card", "==", "4111"))
    assert "hush" not in str(strike(tasks.fail_to_pay, "token", "==", "hush"))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"task": "no.such.task"}, UnknownTask, "no.such.task"),
        (
            {"task": tasks.add, "parameter": "c", "value": 1},
            ValueError,
            "'c', which is no argument",
        ),
        ({"task": tasks.add, "parameter": "not a name"}, ValueError, "'not a name'"),
        ({"parameter": 7}, ValueError, "not 7"),
        ({"task": tasks.add, "parameter": "a", "operator": "in"}, ValueError, "not 'in'"),
        ({"task": tasks.add, "parameter": "a", "value": {1, 2}}, ValueError, "{1, 2}"),
        ({"task": tasks.add, "parameter": "a", "value": float("nan")}, ValueError, "nan"),
        ({"task": tasks.add, "parameter": "a", "value": "\0"}, ValueError, "NUL"),
        (
            {"task": tasks.add, "parameter": "a", "operator": "between", "value": 5},
            ValueError,
            "pair for 'between', not 5",
        ),
        ({"task": tasks.add, "value": 5}, ValueError, "'value' needs a 'parameter'.*5"),
        ({"task": tasks.add, "operator": ">"}, ValueError, "'value' needs a 'parameter'"),
        ({}, ValueError, "pause_queue"),
        ({"task": 5}, TypeError, "5"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_saved(
    given: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        strike(**given)

    assert not Strike.objects.exists()


def test_what_was_never_struck_lets_nothing_go() -> None:
    strike(tasks.add, "a", "==", 1)

    assert restore(tasks.add, "a", "==", 2) == 0
    assert restore(tasks.add) == 0
    assert restore("long.gone.task") == 0
    assert Strike.objects.count() == 1
    with pytest.raises(ValueError, match="pause_queue"):
        restore()
    with pytest.raises(ValueError, match="positive"):
        restore(tasks.add, over=timedelta(0))


def test_what_is_overdue_is_spread_and_the_rest_keeps_its_moment(
    redis_server: RedisServer,
) -> None:
    strike(tasks.add)
    late = overdue(*add_calls(1, 2, 3))
    early = schedule(tasks.add, at=START)(4, 0)
    before = now()

    assert restore(tasks.add, over=2 * HOUR) == 4

    moments = list(late.executions.order_by("position").values_list("due_at", flat=True))
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert gaps == [HOUR, HOUR]
    assert timedelta(0) <= moments[0] - before < timedelta(minutes=1)
    early.refresh_from_db()
    assert early.due_at == START
    assert len(ids_in_redis(redis_server.client)) == 4


def test_what_another_strike_matches_stays_held_by_that(work: Work) -> None:
    strike(tasks.add)
    other = strike(tasks.add, "a", ">", 2)
    batch = overdue(*add_calls(1, 2, 3))

    assert restore(tasks.add, over=HOUR) == 2

    row = batch.executions.get(position=2)
    assert (row.held_by, row.due_at < now()) == (other.held_by, True)
    assert restore(tasks.add, "a", ">", 2) == 1
    work()
    row.refresh_from_db()
    assert row.status == "succeeded"


def test_expiry_is_judged_when_it_is_restored(work: Work) -> None:
    strike(tasks.perishable)
    row = schedule(tasks.perishable, at=now() - HOUR)(1)
    spread = schedule(tasks.perishable, at=now() - HOUR)(2)

    assert miss_expired(DEFAULT) == 0
    row.cancel()
    restore(tasks.perishable, over=HOUR)
    spread.refresh_from_db()
    assert spread.status == "scheduled"
    assert spread.expires_at is not None
    assert spread.expires_at > now()

    strike(tasks.perishable)
    late = schedule(tasks.perishable, at=now() - HOUR)(3)
    restore(tasks.perishable)
    work()
    late.refresh_from_db()
    assert late.status == "missed"


def test_a_strike_counts_from_its_commit_on_and_not_when_it_is_rolled_back() -> None:
    with transaction.atomic():
        strike(tasks.add)
        assert schedule(tasks.add, at=START)(1, 0).held_by
        transaction.set_rollback(True)

    assert not schedule(tasks.add, at=START)(1, 0).held_by
    strike(tasks.add)
    assert schedule(tasks.add, at=START)(1, 0).held_by


def test_restoring_in_a_transaction_is_undone_with_it(redis_server: RedisServer) -> None:
    strike(tasks.add)
    row = schedule(tasks.add, at=START)(1, 0)

    with transaction.atomic():
        assert restore(tasks.add) == 1
        transaction.set_rollback(True)

    row.refresh_from_db()
    assert row.held_by
    assert Strike.objects.exists()
    assert ids_in_redis(redis_server.client) == set()


def test_no_strike_costs_no_statement() -> None:
    schedule(tasks.add, at=START)(1, 2)  # which knows by now that there is none
    with CaptureQueriesContext(connection) as asked:
        schedule(tasks.add, at=START)(1, 2)

    assert not [one for one in asked if one["sql"].startswith("SELECT") and "strike" in one["sql"]]


def test_strikes_that_are_known_already_cost_no_statement() -> None:
    strike(tasks.add, "a", "==", 7)
    schedule(tasks.add, at=START)(1, 2)
    with CaptureQueriesContext(connection) as asked:
        assert schedule(tasks.add, at=START)(7, 2).held_by

    assert not [one for one in asked if one["sql"].startswith("SELECT") and "strike" in one["sql"]]


def test_a_claim_that_knows_other_strikes_takes_nothing_by_them(living_worker: Worker) -> None:
    one, other = schedule_many(add_calls(1, 2))
    struck._known[DEFAULT] = struck.Struck(mark=0, strikes={})
    strike(tasks.add, "a", "==", 1)
    struck._known[DEFAULT] = struck.Struck(mark=12345, strikes={})

    claims = take(living_worker, one, other)

    assert [claim.id for claim in claims] == [other.pk.hex]
    assert held() == [1]
    Execution.objects.filter(pk=other.pk).cancel()


def test_a_restored_strike_that_a_worker_still_knows_holds_nothing(living_worker: Worker) -> None:
    row = schedule(tasks.add)(1, 2)
    strike(tasks.add)
    known = struck.read(DEFAULT)
    restore(tasks.add)
    struck._known[DEFAULT] = known

    claims = take(living_worker, row)

    assert [claim.id for claim in claims] == [row.pk.hex]


def test_a_row_that_cannot_be_read_stops_nobody(living_worker: Worker) -> None:
    row = schedule(tasks.add)(1, 2)
    Execution.objects.filter(pk=row.pk).update(args=[1])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_agenda_execution SET args = 'no JSON'")
    strike(tasks.add, "a", "==", 1)

    found = claim(
        DEFAULT, living_worker, [row.pk.hex], moment=now(), starts=0.0, horizon=now()
    ).claims

    assert [one.id for one in found] == [row.pk.hex]
    Execution.objects.filter(pk=row.pk).update(args=[])
    Execution.objects.filter(pk=row.pk).cancel()


def test_an_operator_of_a_later_release_holds_nothing_here() -> None:
    strike(tasks.add, "a", "==", 1)
    Strike.objects.update(operator="like")
    strike(tasks.add, "a", "==", 2)

    assert not schedule(tasks.add, at=START)(1, 0).held_by
    assert schedule(tasks.add, at=START)(2, 0).held_by


def test_what_a_worker_has_in_hand_is_given_back(work: Work) -> None:
    with RunningWorker(concurrency=1) as running:
        wait_until(running.is_idle)
        # Within the reach of the look-ahead, or claimed and not started.
        batch = Agenda([Call(tasks.add, (n, 0)) for n in range(200)]).scatter(over=8 * SECOND)
        wait_until(lambda: Execution.objects.filter(status="succeeded").exists())
        strike(tasks.add)
        struck_at = now()
        wait_until(lambda: now() > struck_at + 3 * SECOND)

    started = batch.executions.filter(started_at__gt=struck_at + SECOND, status="succeeded")
    assert not started.exists()
    late = batch.executions.filter(due_at__lt=struck_at + 2 * SECOND, status="scheduled")
    assert late.exists()
    assert not late.filter(held_by="").exists()
    assert set(late.values_list("attempts", flat=True)) == {0}
    batch.cancel()


def test_without_redis_a_strike_holds_as_well(
    work: Work, redis_server: RedisServer, configure: Callable[..., None]
) -> None:
    batch = overdue(*add_calls(1, 2))
    strike(tasks.add, "a", "==", 1)
    redis_server.kill()
    with RunningWorker():
        wait_until(lambda: Batch.objects.get().succeeded == 1)
        wait_until(lambda: held(batch) == [1])
    redis_server.start()


def test_a_flushed_redis_forgets_no_strike(redis_server: RedisServer) -> None:
    strike(tasks.add)
    row = schedule(tasks.add)(1, 0)
    redis_server.flush()
    with RunningWorker() as running:
        wait_until(running.is_idle)
        assert schedule(tasks.plain)(5).wait(20) == 5
        row.refresh_from_db()
        assert row.held_by
        restore(tasks.add)
        assert row.wait(20) == 1


def test_a_paused_batch_holds_what_is_restored_and_resuming_restores_nothing(work: Work) -> None:
    strike(tasks.add, "a", "==", 1)
    batch = overdue(*add_calls(1, 2))
    batch.pause()
    assert held(batch) == [1]

    assert restore(tasks.add, "a", "==", 1) == 0
    assert set(batch.executions.values_list("held_by", flat=True)) == {"batch paused"}
    made = strike(tasks.add, "a", "==", 1)
    batch.resume()
    work()
    assert batch.executions.get(position=0).held_by == made.held_by

    batch.pause()
    batch.resume(over=HOUR)
    row = batch.executions.get(position=0)
    assert row.held_by == made.held_by
    assert row.due_at < now()


def test_pausing_and_resuming_by_hand_restores_nothing(work: Work) -> None:
    made = strike(tasks.add)
    row = schedule(tasks.add)(1, 0)
    assert row.pause()
    assert row.resume()
    work()
    row.refresh_from_db()
    assert row.held_by == made.held_by


def test_a_held_one_can_be_cancelled_moved_and_retried(work: Work) -> None:
    made = strike(tasks.add)
    row = schedule(tasks.add, key="k")(1, 0)

    assert row.reschedule(at=START)
    assert (row.held_by, row.due_at) == (made.held_by, START)
    assert row.cancel()
    assert (row.status, row.held_by, row.live_key) == ("cancelled", "", None)
    assert row.retry()
    work()
    row.refresh_from_db()
    assert (row.status, row.held_by) == ("scheduled", made.held_by)


def test_a_struck_tick_is_held_and_overlap_skips_those_after_it(work: Work) -> None:
    made = strike(tasks.plain)
    one = Schedule.objects.interval(tasks.plain, timedelta(milliseconds=50))

    wait_until(lambda: fire_due(DEFAULT) and one.executions.exists())
    wait_until(lambda: fire_due(DEFAULT))

    one.refresh_from_db()
    assert one.skips >= 1
    assert one.executions.get().held_by == made.held_by
    assert one.run_now().held_by == made.held_by
    one.disable()


def test_a_struck_callback_is_held(redis_server: RedisServer) -> None:
    made = strike(tasks.note_batch)

    Agenda().scatter(over=SECOND, on_complete=tasks.note_batch)

    assert Execution.objects.get().held_by == made.held_by
    assert ids_in_redis(redis_server.client) == set()


def test_a_retry_of_what_is_struck_meanwhile_is_held(work: Work, tmp_path: Any) -> None:
    row = schedule(tasks.fail_and_wait)(str(tmp_path / "tries"))
    work()
    made = strike(tasks.fail_and_wait)
    row.reschedule(at=now())

    work()

    row.refresh_from_db()
    assert (row.held_by, row.attempts) == (made.held_by, 1)


def test_broker_and_rows_agree_about_what_is_held() -> None:
    batch_of(*add_calls(1, 2))
    strike(tasks.add)
    batch_of(*add_calls(3, 4))

    assert reconcile(DEFAULT).is_clean


def test_what_was_written_at_the_moment_of_a_restore_is_found_by_a_caretaker(work: Work) -> None:
    strike(tasks.add)
    row = schedule(tasks.add)(1, 2)
    Strike.objects.all().delete()

    with RunningWorker():
        assert row.wait(20) == 3


def test_a_restore_that_died_half_way_is_finished_with_its_moments(work: Work) -> None:
    strike(tasks.add)
    batch = overdue(*add_calls(1, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django_agenda.scheduling.restore._release", _die)
        with pytest.raises(KeyboardInterrupt):
            restore(tasks.add, over=HOUR)

    assert release_orphans(DEFAULT) == 2
    assert release_orphans(DEFAULT) == 0
    first, last = batch.executions.order_by("position")
    assert last.due_at - first.due_at == HOUR
    assert broker.sizes() == {"default": 2}
    batch.cancel()


def _die(*_: object) -> int:
    raise KeyboardInterrupt


def test_many_are_let_go_in_chunks(configure: Callable[..., None]) -> None:
    configure(CHUNK_SIZE=3)
    strike(tasks.add)
    other = strike(tasks.add, "a", "==", 5)
    batch = batch_of(*add_calls(*range(10)))

    assert restore(tasks.add) == 9
    assert batch.executions.get(position=5).held_by == other.held_by
    assert batch.executions.filter(held_by="").count() == 9
    batch.refresh_from_db()
    assert batch.enqueued == 9


def test_waiting_for_what_is_held_says_so() -> None:
    made = strike(tasks.add)
    batch = batch_of(*add_calls(1, 2))

    with pytest.raises(TimeoutError, match=f"held by '{made.held_by}'"):
        schedule(tasks.add)(1, 2).wait(0)
    with pytest.raises(TimeoutError, match="2 scheduled of 2, 2 of them held"):
        batch.wait(0)


def test_what_is_struck_takes_no_slot_of_its_task(work: Work) -> None:
    made = strike(limited, "number", "<", 3)
    rows = [schedule(limited)(number) for number in range(5)]

    work()

    for row in rows:
        row.refresh_from_db()
    assert [row.status for row in rows] == ["scheduled"] * 3 + ["succeeded"] * 2
    assert {row.held_by for row in rows[:3]} == {made.held_by}
    assert restore(limited, "number", "<", 3) == 3
    work()
    assert [row.wait(20) for row in rows] == [0, 1, 2, 3, 4]


def test_the_context_of_a_run_is_no_argument(work: Work) -> None:
    strike(with_context, "number", "==", 1)
    one, other = schedule(with_context)(1), schedule(with_context)(2)

    work()

    assert other.wait(20) == 2
    one.refresh_from_db()
    assert one.held_by


@task(concurrency=Limit(1))
def limited(number: int) -> int:
    return number


@task(takes_context=True)
def with_context(context: Any, number: int) -> int:
    return number

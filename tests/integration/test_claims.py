"""Who may take a row, store its outcome, and take it back: the guards, one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from django_agenda import Agenda, Call, schedule
from django_agenda.clock import now
from django_agenda.models import Attempt, Batch, Execution, Worker
from django_agenda.scheduling.cancel import cancel
from django_agenda.scheduling.miss import miss
from django_agenda.worker.claim import Claim, Outcome
from django_agenda.worker.claims import claim, give_back
from django_agenda.worker.record import record
from django_agenda.worker.refused import refused
from django_agenda.worker.rescue import declare_lost, rescue
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows

from .conftest import Configure

START = datetime(2030, 1, 1, 9, tzinfo=UTC)
DEFAULT = "default"


def batch_of(*calls: Call, **options: Any) -> Batch:
    given: dict[str, Any] = {"start": now() - timedelta(minutes=10), "over": timedelta(seconds=1)}
    return Agenda(calls or [Call(tasks.plain, (1,))]).scatter(**given | options)


def take(worker: Worker, *rows: Execution, moment: datetime | None = None) -> list[Claim]:
    at = moment or now()
    ids = [row.pk.hex for row in rows]
    return claim(DEFAULT, worker, ids, moment=at, starts=0.0, horizon=at).claims


def outcome(one: Claim, status: str = "succeeded", **changes: Any) -> Outcome:
    given: dict[str, Any] = {
        "claim": one,
        "status": status,
        "started_at": now(),
        "finished_at": now(),
        "run_ms": 1,
    }
    return Outcome(**given | changes)


# --- claims ---


def test_a_claim_takes_a_row_that_is_due(living_worker: Worker) -> None:
    batch = batch_of()

    [one] = take(living_worker, batch.executions.get())

    row = batch.executions.get()
    assert (row.status, row.attempts, row.claimed_by) == ("running", 1, living_worker.pk)
    assert row.worker == living_worker.name
    assert (one.attempt, one.args, one.task.name) == (1, "[1]", "tests.tasks.plain")
    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.running) == ("running", 1)


def test_a_row_is_taken_once(living_worker: Worker) -> None:
    row = schedule(tasks.plain)()

    first, second = take(living_worker, row), take(living_worker, row)

    assert (len(first), len(second)) == (1, 0)
    row.refresh_from_db()
    assert row.attempts == 1


def test_a_row_is_not_taken_before_the_horizon(living_worker: Worker) -> None:
    row = schedule(tasks.plain, at=START)()

    assert take(living_worker, row, moment=START - timedelta(milliseconds=1)) == []
    assert len(take(living_worker, row, moment=START)) == 1


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "missed", "cancelled"])
def test_what_does_not_wait_is_not_taken(status: str, living_worker: Worker) -> None:
    row = schedule(tasks.plain)()
    Execution.objects.filter(pk=row.pk).update(status=status)

    assert take(living_worker, row) == []

    Execution.objects.filter(pk=row.pk).update(status="scheduled")


def test_what_is_held_is_not_taken(living_worker: Worker) -> None:
    row = schedule(tasks.plain)()
    Execution.objects.filter(pk=row.pk).update(held_by="pause")

    assert take(living_worker, row) == []


def test_what_has_expired_is_not_taken(living_worker: Worker) -> None:
    batch = batch_of(expires=60)

    assert take(living_worker, batch.executions.get()) == []


@pytest.mark.parametrize("status", ["lost", "stopped", None])
def test_a_worker_that_is_not_living_takes_nothing(
    status: str | None, living_worker: Worker
) -> None:
    row = schedule(tasks.plain)()
    if status is None:
        Worker.objects.all().delete()
    else:
        Worker.objects.update(status=status)

    assert take(living_worker, row) == []


def test_a_pending_row_can_be_taken_and_is_counted_right(
    living_worker: Worker, redis_server: RedisServer
) -> None:
    redis_server.kill()
    batch = batch_of()
    assert batch.pending == 1

    [one] = take(living_worker, batch.executions.get())
    assert_counters_equal_rows(batch)
    record(DEFAULT, living_worker, [outcome(one)])

    batch = assert_counters_equal_rows(batch)
    assert batch.status == "succeeded"
    assert batch.executions.get().error_message == ""


def test_a_pending_row_that_is_given_back_is_counted_right(
    living_worker: Worker, redis_server: RedisServer
) -> None:
    redis_server.kill()
    batch = batch_of()
    [one] = take(living_worker, batch.executions.get())

    give_back(DEFAULT, living_worker, [(one.id, one.attempt)])
    assert_counters_equal_rows(batch)
    take(living_worker, batch.executions.get())

    batch = assert_counters_equal_rows(batch)
    assert batch.running == 1


def test_refused_ids_are_told_apart(living_worker: Worker) -> None:
    later = schedule(tasks.plain, at=START)()
    expired = batch_of(expires=60).executions.get()
    ended = schedule(tasks.plain, at=START)()
    cancel(Execution.objects.filter(pk=ended.pk))

    waiting, gone = refused(DEFAULT, [row.pk.hex for row in (later, expired, ended)], now())

    assert [entry.id for entry in waiting] == [later.pk.hex]
    assert gone == [expired.pk.hex]


# --- giving back ---


def test_what_is_given_back_waits_again_and_its_attempt_is_not_counted(
    living_worker: Worker,
) -> None:
    batch = batch_of(Call(tasks.mail, (1,), key="k"))
    [one] = take(living_worker, batch.executions.get())

    [entry] = give_back(DEFAULT, living_worker, [(one.id, one.attempt)])

    row = batch.executions.get()
    assert (row.status, row.attempts, row.worker, row.claimed_by) == ("scheduled", 0, "", None)
    assert (row.live_key, row.started_at) == ("k", None)
    assert (entry.id, entry.queue_name, entry.priority) == (row.pk.hex, "mail", 7)
    assert assert_counters_equal_rows(batch).scheduled == 1


def test_only_the_owner_of_a_claim_can_give_it_back(living_worker: Worker) -> None:
    row = schedule(tasks.plain)()
    [one] = take(living_worker, row)
    other = Worker.objects.create(name="other", hostname="here", pid=2)

    assert give_back(DEFAULT, other, [(one.id, one.attempt)]) == []
    assert give_back(DEFAULT, living_worker, [(one.id, one.attempt + 1)]) == []

    row.refresh_from_db()
    assert (row.status, row.attempts) == ("running", 1)
    give_back(DEFAULT, living_worker, [(one.id, one.attempt)])


# --- outcomes ---


def test_an_outcome_is_stored_once_and_counted_once(living_worker: Worker) -> None:
    batch = batch_of()
    [one] = take(living_worker, batch.executions.get())

    first = record(DEFAULT, living_worker, [outcome(one, return_value="5")])
    again = record(DEFAULT, living_worker, [outcome(one, return_value="6")])

    assert (len(first.taken), len(again.taken)) == (1, 0)
    assert batch.executions.get().return_value == 5
    batch = assert_counters_equal_rows(batch)
    assert (batch.succeeded, batch.status) == (1, "succeeded")


def test_a_fenced_worker_that_comes_back_changes_nothing(
    living_worker: Worker, configure: Configure
) -> None:
    batch = batch_of(Call(tasks.plain, (1,)), on_complete=tasks.note_batch)
    [stale] = take(living_worker, batch.executions.get())
    Worker.objects.update(beat_at=now() - timedelta(hours=1))
    declare_lost(DEFAULT, timedelta(seconds=30))
    rescue(DEFAULT)
    second = Worker.objects.create(name="second", hostname="here", pid=2)
    [fresh] = take(second, batch.executions.get())

    late = record(DEFAULT, living_worker, [outcome(stale, "failed", error_message="late")])

    assert late.taken == set()
    row = batch.executions.get()
    assert (row.status, row.claimed_by, row.error_message) == ("running", second.pk, "")
    record(DEFAULT, second, [outcome(fresh)])
    batch = assert_counters_equal_rows(batch)
    assert batch.status == "succeeded"
    assert batch.callbacks.count() == 1
    assert list(Attempt.objects.values_list("number", "outcome")) == [(1, "lost"), (2, "succeeded")]


def test_the_outcome_of_a_body_that_was_given_back_while_it_ran_changes_nothing(
    living_worker: Worker,
) -> None:
    batch = batch_of()
    [first] = take(living_worker, batch.executions.get())
    give_back(DEFAULT, living_worker, [(first.id, first.attempt)])
    other = Worker.objects.create(name="other", hostname="here", pid=2)
    [second] = take(other, batch.executions.get())
    assert second.attempt == first.attempt

    assert record(DEFAULT, living_worker, [outcome(first, "failed")]).taken == set()

    assert_counters_equal_rows(batch)
    assert batch.executions.get().claimed_by == other.pk
    record(DEFAULT, other, [outcome(second)])
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_outcomes_of_which_only_some_are_taken_count_only_those(living_worker: Worker) -> None:
    batch = batch_of(*[Call(tasks.plain)] * 4)
    claims = take(living_worker, *batch.executions.all())
    give_back(DEFAULT, living_worker, [(claims[0].id, claims[0].attempt)])

    record(DEFAULT, living_worker, [outcome(one, "failed") for one in claims])

    batch = assert_counters_equal_rows(batch)
    assert (batch.failed, batch.scheduled) == (3, 1)
    assert Attempt.objects.count() == 3


def test_an_outcome_of_an_earlier_attempt_of_the_same_worker_changes_nothing(
    living_worker: Worker,
) -> None:
    row = schedule(tasks.plain)()
    [first] = take(living_worker, row)
    give_back(DEFAULT, living_worker, [(first.id, first.attempt)])
    [second] = take(living_worker, row)
    record(DEFAULT, living_worker, [outcome(second, "scheduled", retry_at=now())])
    [third] = take(living_worker, row, moment=now() + timedelta(seconds=1))

    assert record(DEFAULT, living_worker, [outcome(second)]).taken == set()

    row.refresh_from_db()
    assert (row.status, row.attempts) == ("running", 2)
    record(DEFAULT, living_worker, [outcome(third)])


def test_outcomes_of_many_batches_are_counted_each_in_its_own(living_worker: Worker) -> None:
    batches = [batch_of(*[Call(tasks.plain)] * (n + 1)) for n in range(4)]
    single = schedule(tasks.plain)()
    rows = [*Execution.objects.filter(batch__isnull=False), single]
    claims = take(living_worker, *rows)
    assert len(claims) == 11
    for batch in batches:
        assert assert_counters_equal_rows(batch).running == batch.total

    record(DEFAULT, living_worker, [outcome(one) for one in claims])

    assert {assert_counters_equal_rows(batch).status for batch in batches} == {"succeeded"}


def test_a_failure_frees_the_key_and_a_retry_keeps_it(living_worker: Worker) -> None:
    one, two = (schedule(tasks.plain, key=key)() for key in "ab")
    claims = {found.key: found for found in take(living_worker, one, two)}

    retry = outcome(claims["b"], "scheduled", retry_at=START)
    recorded = record(DEFAULT, living_worker, [outcome(claims["a"], "failed"), retry])

    assert Execution.objects.get(key="a").live_key is None
    assert Execution.objects.get(key="b").live_key == "b"
    assert [entry.id for entry in recorded.entries] == [two.pk.hex]
    cancel(Execution.objects.all())


# --- lost workers ---


def test_a_silent_worker_is_lost_and_a_beating_one_is_not(living_worker: Worker) -> None:
    silent = Worker.objects.create(
        name="silent", hostname="here", pid=2, beat_at=now() - timedelta(minutes=1)
    )
    draining = Worker.objects.create(
        name="draining",
        hostname="h",
        pid=3,
        status="draining",
        beat_at=now() - timedelta(minutes=1),
    )

    assert declare_lost(DEFAULT, timedelta(seconds=30)) == 2

    states = dict(Worker.objects.values_list("name", "status"))
    assert states == {"tester": "active", "silent": "lost", "draining": "lost"}
    assert silent.pk != draining.pk


def test_what_a_lost_worker_ran_runs_again(living_worker: Worker) -> None:
    batch = batch_of(Call(tasks.plain, key="k"))
    take(living_worker, batch.executions.get())
    Worker.objects.update(status="lost")

    count, entries = rescue(DEFAULT)

    row = batch.executions.get()
    assert (count, [entry.id for entry in entries]) == (1, [row.pk.hex])
    assert (row.status, row.crashes, row.attempts, row.claimed_by) == ("scheduled", 1, 1, None)
    assert row.live_key == "k"
    assert Attempt.objects.get().outcome == "lost"
    assert assert_counters_equal_rows(batch).scheduled == 1
    assert rescue(DEFAULT) == (0, [])


def test_what_a_living_worker_runs_is_left_to_it(living_worker: Worker) -> None:
    row = schedule(tasks.plain)()
    [one] = take(living_worker, row)

    assert rescue(DEFAULT) == (0, [])
    assert record(DEFAULT, living_worker, [outcome(one)]).taken


def test_a_row_that_changes_hands_while_it_is_being_rescued_is_left_to_its_new_worker(
    living_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Worker.objects.create(name="lost", hostname="here", pid=2)
    row = schedule(tasks.plain)()
    take(lost, row)
    Worker.objects.filter(pk=lost.pk).update(status="lost")

    def change_hands(*_: object) -> bool:
        Execution.objects.update(claimed_by=living_worker.pk)
        return True

    monkeypatch.setattr("django_agenda.worker.rescue._may_run_again", change_hands)

    assert rescue(DEFAULT) == (0, [])

    row.refresh_from_db()
    assert (row.status, row.claimed_by, row.crashes) == ("running", living_worker.pk, 0)
    assert not Attempt.objects.exists()


def test_a_task_that_must_not_run_twice_fails_with_its_worker(living_worker: Worker) -> None:
    batch = batch_of(
        Call(tasks.at_most_once, ("x",), key="k"),
        on_failure=tasks.note_batch,
        on_complete=tasks.plain,
    )
    take(living_worker, batch.executions.get())
    Worker.objects.update(status="lost")

    _, entries = rescue(DEFAULT)

    row = batch.executions.get()
    assert (row.status, row.failed_stage, row.live_key) == ("failed", "lost", None)
    assert row.error_class == "WorkerLost"
    assert row.finished_at is not None
    assert assert_counters_equal_rows(batch).status == "failed"
    assert batch.callbacks.count() == 2
    assert {entry.id for entry in entries} == {one.pk.hex for one in batch.callbacks.all()}


def test_an_execution_fails_when_its_worker_was_lost_too_often(
    living_worker: Worker, configure: Configure
) -> None:
    configure(MAX_CRASHES=3)
    batch = batch_of()
    for _ in range(3):
        worker = Worker.objects.create(name="w", hostname="here", pid=2)
        assert len(take(worker, batch.executions.get())) == 1
        Worker.objects.filter(pk=worker.pk).update(status="lost")
        rescue(DEFAULT)

    row = batch.executions.get()
    assert (row.status, row.crashes, row.attempts) == ("failed", 3, 3)
    assert Attempt.objects.count() == 3
    assert assert_counters_equal_rows(batch).status == "failed"


def test_an_execution_that_began_in_time_is_not_missed_because_its_worker_was_lost(
    living_worker: Worker,
) -> None:
    batch = batch_of(start=now() - timedelta(seconds=1), over=timedelta(seconds=1), expires=60)
    take(living_worker, batch.executions.get())
    Worker.objects.update(status="lost")
    Execution.objects.update(expires_at=now() - timedelta(seconds=1))
    rescue(DEFAULT)
    second = Worker.objects.create(name="second", hostname="here", pid=2)

    assert len(take(second, batch.executions.get())) == 1


# --- cancelled and missed ---


def test_what_waits_can_be_cancelled_and_what_runs_cannot(living_worker: Worker) -> None:
    batch = batch_of(*[Call(tasks.plain, key=f"k{n}") for n in range(3)])
    first = batch.executions.all()[0]
    [one] = take(living_worker, first)

    # The one that runs is asked to end, and counted with them.
    assert cancel(batch.executions.all()) == 3

    batch = assert_counters_equal_rows(batch)
    assert (batch.cancelled, batch.running, batch.finished_at) == (2, 1, None)
    assert set(batch.executions.filter(status="cancelled").values_list("live_key", flat=True)) == {
        None
    }
    record(DEFAULT, living_worker, [outcome(one)])
    assert assert_counters_equal_rows(batch).status == "cancelled"


def test_pending_rows_are_cancelled_and_counted_right(redis_server: RedisServer) -> None:
    redis_server.kill()
    batch = batch_of(*[Call(tasks.plain)] * 3)

    assert cancel(batch.executions.all()) == 3

    batch = assert_counters_equal_rows(batch)
    assert (batch.cancelled, batch.pending) == (3, 0)


def test_only_what_has_expired_is_missed() -> None:
    expired, waiting = batch_of(expires=60), batch_of(expires=3600)
    held = batch_of(expires=60)
    held.executions.update(held_by="pause")
    rows = Execution.objects.all()

    assert miss(DEFAULT, [row.pk.hex for row in rows], now()) == 1

    assert assert_counters_equal_rows(expired).missed == 1
    assert assert_counters_equal_rows(waiting).scheduled == 1
    assert assert_counters_equal_rows(held).scheduled == 1


# --- races ---


@pytest.mark.parametrize("seed", range(3))
def test_claims_cancellations_and_outcomes_at_once_leave_exact_counts(seed: int) -> None:
    import random
    import threading

    rng = random.Random(seed)
    batches = [batch_of(*[Call(tasks.plain)] * 40) for _ in range(3)]
    rows = list(Execution.objects.all())
    stored: list[str] = []

    def work(number: int) -> None:
        try:
            worker = Worker.objects.create(name=f"w{number}", hostname="here", pid=number)
            mine = rng.sample(rows, len(rows))
            for first in range(0, len(mine), 15):
                claims = take(worker, *mine[first : first + 15])
                back, kept = claims[::5], [one for n, one in enumerate(claims) if n % 5]
                give_back(DEFAULT, worker, [(one.id, one.attempt) for one in back])
                stored.extend(record(DEFAULT, worker, [outcome(one) for one in kept]).taken)
        finally:
            connections.close_all()

    def stop() -> None:
        try:
            for batch in batches:
                cancel(batch.executions.filter(position__gte=30))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    threads.append(threading.Thread(target=stop))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(stored) == len(set(stored))
    assert Execution.objects.filter(status="succeeded").count() == len(stored)
    for batch in batches:
        assert_counters_equal_rows(batch)
    assert not Execution.objects.filter(status="running").exists()

"""Retrying: what ended without success runs again, and its batch is open again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from django_agenda import Agenda, Call, schedule
from django_agenda.clock import now
from django_agenda.models import Attempt, Batch, Execution, Worker
from django_agenda.worker.record import record
from tests import control_tasks, tasks
from tests.conftest import RedisServer
from tests.sound import assert_all_ended, assert_counters_equal_rows, ids_in_redis

from .conftest import Configure, Work, statuses
from .control import DEFAULT, HOUR, START, batch_of, outcome, overdue, take

FAIL, GOOD = Call(tasks.fail), Call(tasks.plain)
CALLBACKS = {
    "on_success": tasks.note_batch,
    "on_failure": tasks.plain,
    "on_complete": tasks.mail,
}


def test_what_failed_runs_again_and_counts_on(work: Work) -> None:
    row = schedule(control_tasks.fail_always)()
    work()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.max_attempts) == ("failed", 2, 2)

    assert row.retry() is True
    assert (row.status, row.attempts, row.max_attempts) == ("scheduled", 2, 4)
    assert (row.error_class, row.traceback, row.failed_stage, row.finished_at) == ("", "", "", None)
    work()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.max_attempts) == ("failed", 4, 4)

    row.retry()
    work()
    row.refresh_from_db()
    assert (row.status, row.attempts, row.max_attempts) == ("failed", 6, 6)
    assert list(Attempt.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("status", ["failed", "missed", "cancelled"])
def test_what_ended_without_success_can_be_retried(status: str, work: Work) -> None:
    row = schedule(tasks.add, key="k")(1, 2)
    Execution.objects.update(status=status, finished_at=now(), live_key=None)

    assert row.retry() is True

    assert row.live_key == "k"
    work()
    assert row.wait(1) == 3


@pytest.mark.parametrize("status", ["scheduled", "pending", "running", "succeeded", "skipped"])
def test_nothing_else_can(status: str) -> None:
    row = schedule(tasks.plain)()
    ended = now() if status in ("succeeded", "skipped") else None
    Execution.objects.update(status=status, finished_at=ended)

    assert row.retry() is False

    assert row.status == status
    Execution.objects.update(status="cancelled", finished_at=now(), live_key=None)


def test_one_whose_key_is_alive_is_passed_over(work: Work) -> None:
    former = schedule(tasks.fail, key="k")()
    work()
    schedule(tasks.plain, key="k", at=START)()

    assert former.retry() is False

    assert former.status == "failed"


def test_of_those_that_share_a_key_the_latest_runs_again(work: Work) -> None:
    rows = []
    for _ in range(3):
        rows.append(schedule(tasks.fail, key="k")())
        work()

    assert Execution.objects.retry() == 1

    assert [Execution.objects.get(pk=row.pk).status for row in rows] == [
        "failed",
        "failed",
        "scheduled",
    ]


def test_a_key_that_is_taken_at_this_very_moment_leaves_only_its_own_row_out(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import IntegrityError

    from django_agenda.scheduling import retry as module

    for key in "abc":
        schedule(tasks.fail, key=key)()
    work()
    reopen = module._reopen

    def racing(using: str, ended: list[module._Ended]) -> list[module._Reopened]:
        if any(one.key == "b" for one in ended):
            raise IntegrityError("the key was taken")
        return reopen(using, ended)

    monkeypatch.setattr(module, "_reopen", racing)

    assert Execution.objects.retry() == 2

    assert set(Execution.objects.live().values_list("key", flat=True)) == {"a", "c"}
    Execution.objects.all().cancel()


def test_a_retry_is_spread(work: Work) -> None:
    batch = overdue(*[FAIL] * 5)
    work()
    began = now()

    assert batch.retry_failed(over=4 * HOUR) == 5

    due = batch.executions.values_list("due_at", flat=True)
    assert [round((moment - began) / HOUR, 3) for moment in due] == [0, 1, 2, 3, 4]


def test_expiry_counts_from_the_new_moment(work: Work) -> None:
    row = schedule(tasks.perishable, at=now() - HOUR)()
    work()
    assert Execution.objects.get().status == "missed"

    row.retry(over=2 * HOUR)

    assert row.expires_at == row.due_at + timedelta(milliseconds=1)
    row.cancel()


@pytest.mark.parametrize("over", [timedelta(0), -HOUR, timedelta.max])
def test_a_span_that_cannot_be_is_refused(over: timedelta, work: Work) -> None:
    batch = overdue(FAIL)
    work()

    with pytest.raises(ValueError, match=r"over|9999"):
        batch.retry_failed(over=over)

    assert statuses(batch) == ["failed"]


def test_crashes_are_forgiven(living_worker: Worker) -> None:
    row = schedule(tasks.plain)()
    Execution.objects.update(
        status="failed", finished_at=now(), crashes=3, attempts=3, failed_stage="lost"
    )

    row.retry()

    assert (row.crashes, row.attempts, row.max_attempts) == (0, 3, 4)


# --- batches ---


def test_a_beginning_without_a_spread_is_refused(work: Work) -> None:
    rows = Execution.objects.filter(pk=schedule(tasks.fail)().pk)
    work()

    with pytest.raises(ValueError, match=r"'start' .* needs 'over', not datetime"):
        rows.retry(start=now())

    assert rows.get().status == "failed"


def test_only_what_failed_or_was_missed_is_retried(work: Work) -> None:
    batch = overdue(FAIL, GOOD, Call(tasks.perishable), Call(tasks.plain, at=None))
    batch.executions.filter(position=3).cancel()
    work()
    assert statuses(batch) == ["failed", "succeeded", "missed", "cancelled"]

    assert batch.retry_failed() == 2

    assert statuses(batch) == ["scheduled", "succeeded", "scheduled", "cancelled"]
    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.finished_at) == ("running", None)
    assert batch.executions.filter(status="cancelled").retry() == 1
    assert_counters_equal_rows(batch)


def test_callbacks_are_called_once_in_the_life_of_a_batch(work: Work) -> None:
    batch = overdue(Call(control_tasks.fail_always), GOOD, **CALLBACKS)
    work()
    names = ["tests.tasks.mail", "tests.tasks.plain"]
    assert sorted(batch.callbacks.values_list("task_name", flat=True)) == names

    for _ in range(2):
        batch.retry_failed()
        work()
        assert assert_counters_equal_rows(batch).status == "partly_failed"
        assert sorted(batch.callbacks.values_list("task_name", flat=True)) == names
    Execution.objects.filter(batch=batch).update(task_name="tests.tasks.nothing", args=[])
    batch.retry_failed()
    work()

    assert assert_counters_equal_rows(batch).status == "succeeded"
    names = ["tests.tasks.mail", "tests.tasks.note_batch", "tests.tasks.plain"]
    assert sorted(batch.callbacks.values_list("task_name", flat=True)) == names
    assert_all_ended()


def test_a_reopened_batch_takes_its_key_back(work: Work) -> None:
    batch = overdue(FAIL, key="daily")
    work()
    assert Batch.objects.get().live_key is None

    batch.retry_failed()

    assert batch.live_key == "daily"
    assert Agenda([GOOD]).scatter(over=HOUR, key="daily").pk == batch.pk


def test_a_batch_whose_key_was_taken_is_reopened_without_it(work: Work) -> None:
    batch = overdue(FAIL, key="daily")
    work()
    newer = batch_of(FAIL, key="daily")

    assert batch.retry_failed() == 1

    assert (batch.live_key, newer.live_key) == (None, "daily")
    work()
    assert assert_counters_equal_rows(batch).status == "failed"
    assert assert_counters_equal_rows(newer).status == "scheduled"


def test_what_ended_paused_is_reopened_unpaused(living_worker: Worker, work: Work) -> None:
    batch = overdue(GOOD)
    [one] = take(living_worker, batch.executions.get())
    batch.pause()
    record(DEFAULT, living_worker, [outcome(one, "failed")])

    batch.retry_failed()

    assert (batch.status, batch.paused_at) == ("running", None)
    work()
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_a_retry_in_a_paused_batch_waits_for_it(living_worker: Worker, work: Work) -> None:
    batch = overdue(GOOD, GOOD)
    [one] = take(living_worker, batch.executions.all()[0])
    batch.pause()
    record(DEFAULT, living_worker, [outcome(one, "failed")])

    assert batch.retry_failed() == 1

    assert set(batch.executions.values_list("held_by", flat=True)) == {"batch paused"}
    work()
    assert statuses(batch) == ["scheduled", "scheduled"]
    assert batch.resume() == 2
    work()
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_many_chunks_are_retried_with_exact_counts(work: Work, configure: Configure) -> None:
    configure(CHUNK_SIZE=7)
    batch = overdue(*[FAIL] * 30, *[Call(tasks.perishable)] * 10)
    work()
    assert Batch.objects.get().finished_at is not None

    assert batch.retry_failed() == 40

    assert assert_counters_equal_rows(batch).scheduled == 40


def test_a_retry_that_is_rolled_back_changes_nothing(redis_server: RedisServer, work: Work) -> None:
    batch = overdue(FAIL, FAIL)
    work()

    with transaction.atomic():
        assert batch.retry_failed() == 2
        transaction.set_rollback(True)

    assert assert_counters_equal_rows(batch).failed == 2
    assert ids_in_redis(redis_server.client) == set()


def test_what_was_cancelled_while_pending_is_counted_right_when_it_runs_again(
    redis_server: RedisServer, work: Work
) -> None:
    redis_server.kill()
    batch = overdue(GOOD, GOOD)
    assert batch.pending == 2
    batch.cancel()
    redis_server.start()

    assert batch.executions.retry() == 2

    assert assert_counters_equal_rows(batch).scheduled == 2
    work()
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_what_was_asked_to_stop_can_run_again(living_worker: Worker, work: Work) -> None:
    row = schedule(tasks.add)(1, 2)
    [one] = take(living_worker, row)
    row.cancel()
    record(DEFAULT, living_worker, [outcome(one, "failed")])

    assert row.retry() is True

    assert row.cancel_requested_at is None
    work()
    assert row.wait(1) == 3

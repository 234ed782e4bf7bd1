"""Cancelling: what waits ends, what is claimed is not started, what runs is asked to stop."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from django_agenda import Agenda, Call, ExecutionCancelled, schedule
from django_agenda.clock import now
from django_agenda.models import Attempt, Execution, Worker
from django_agenda.worker.claims import give_back
from django_agenda.worker.record import record
from django_agenda.worker.rescue import rescue
from tests import control_tasks, tasks
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows, ids_in_redis
from tests.waiting import wait_until

from .conftest import RunningWorker
from .control import DEFAULT, START, batch_of, outcome, overdue, take


def test_what_waits_ends_at_once_and_leaves_redis(redis_server: RedisServer) -> None:
    row = schedule(tasks.plain, at=START, key="k")()

    assert row.cancel() is True

    assert (row.status, row.live_key, row.held_by) == ("cancelled", None, "")
    assert row.finished_at is not None
    assert row.cancel_requested_at is None
    assert ids_in_redis(redis_server.client) == set()
    assert row.cancel() is False


def test_the_key_of_what_was_cancelled_is_free() -> None:
    first = schedule(tasks.plain, at=START, key="k")()
    first.cancel()

    second = schedule(tasks.plain, at=START, key="k")()

    assert second.pk != first.pk


@pytest.mark.parametrize("status", ["succeeded", "failed", "missed", "cancelled", "skipped"])
def test_what_has_ended_is_not_cancelled(status: str) -> None:
    row = schedule(tasks.plain)()
    Execution.objects.update(status=status, finished_at=now())

    assert Execution.objects.all().cancel() == 0

    row.refresh_from_db()
    assert (row.status, row.cancel_requested_at) == (status, None)


def test_what_is_held_is_cancelled_as_well() -> None:
    batch = batch_of(count=3)
    batch.pause()

    assert batch.cancel() == 3

    assert set(batch.executions.values_list("held_by", flat=True)) == {""}
    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.paused_at) == ("cancelled", None)


def test_a_label_names_what_is_cancelled() -> None:
    one = schedule(tasks.plain, at=START, labels=("Nightly", "b"))()
    two = schedule(tasks.plain, at=START, labels=("nightly",))()
    three = schedule(tasks.plain, at=START, labels=('"Nightly"',))()

    assert Execution.objects.labelled("Nightly").cancel() == 1
    assert Execution.objects.labelled('"Nightly"').count() == 1
    assert Execution.objects.labelled("Nightly", "b").count() == 1
    assert Execution.objects.labelled("Night").count() == 0

    assert [Execution.objects.get(pk=row.pk).status for row in (one, two, three)] == [
        "cancelled",
        "scheduled",
        "scheduled",
    ]


def test_a_slice_can_be_cancelled() -> None:
    batch = batch_of(count=5)

    assert batch.executions.order_by("position")[1:3].cancel() == 2

    found = batch.executions.filter(status="cancelled").values_list("position", flat=True)
    assert sorted(found) == [1, 2]


def test_many_chunks_are_cancelled_with_exact_counts(configure: Any) -> None:
    configure(CHUNK_SIZE=7)
    batch = batch_of(count=50)

    assert batch.cancel() == 50

    assert assert_counters_equal_rows(batch).cancelled == 50


def test_a_cancellation_that_is_rolled_back_changes_nothing(redis_server: RedisServer) -> None:
    batch = batch_of(count=3)

    with transaction.atomic():
        assert batch.cancel() == 3
        transaction.set_rollback(True)

    assert assert_counters_equal_rows(batch).scheduled == 3
    assert len(ids_in_redis(redis_server.client)) == 3


def test_pending_rows_are_cancelled_and_counted_right(redis_server: RedisServer) -> None:
    redis_server.kill()
    batch = batch_of(count=3)
    assert batch.pending == 3

    assert batch.cancel() == 3

    batch = assert_counters_equal_rows(batch)
    assert (batch.cancelled, batch.pending) == (3, 0)


def test_what_runs_is_asked_once(living_worker: Worker) -> None:
    batch = overdue(count=2)
    [one] = take(living_worker, batch.executions.all()[0])

    assert batch.cancel() == 2
    assert batch.cancel() == 0

    row = batch.executions.all()[0]
    assert (row.status, row.cancel_requested_at is not None) == ("running", True)
    batch = assert_counters_equal_rows(batch)
    assert (batch.running, batch.cancelled) == (1, 1)
    record(DEFAULT, living_worker, [outcome(one, "succeeded")])


# --- what a worker makes of a request ---


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_body_that_ends_by_itself_is_recorded_as_what_it_was(
    status: str, living_worker: Worker
) -> None:
    batch = overdue(count=1)
    [one] = take(living_worker, batch.executions.get())
    batch.cancel()

    record(DEFAULT, living_worker, [outcome(one, status)])

    assert batch.executions.get().status == status
    assert_counters_equal_rows(batch)


def test_what_was_to_be_tried_again_is_cancelled_instead(living_worker: Worker) -> None:
    batch = overdue(count=1, on_complete=tasks.note_batch)
    row = batch.executions.get()
    [one] = take(living_worker, row)
    batch.cancel()

    retry = outcome(one, "scheduled", retry_at=START, error_message="oh")
    recorded = record(DEFAULT, living_worker, [retry])

    fresh = batch.executions.get()
    assert (fresh.status, fresh.due_at, fresh.error_message) == ("cancelled", row.due_at, "oh")
    assert fresh.finished_at is not None
    assert recorded.cancelled == {row.pk.hex}
    assert [entry.id for entry in recorded.entries] == [batch.callbacks.get().pk.hex]
    assert Attempt.objects.get().outcome == "failed"
    assert assert_counters_equal_rows(batch).status == "cancelled"
    batch.callbacks.all().cancel()


def test_what_is_given_back_unstarted_is_cancelled_and_its_attempt_not_counted(
    living_worker: Worker,
) -> None:
    batch = overdue(count=1, on_complete=tasks.note_batch)
    [one] = take(living_worker, batch.executions.get())
    batch.cancel()

    entries = give_back(DEFAULT, living_worker, [(one.id, one.attempt)])

    row = batch.executions.get()
    assert (row.status, row.attempts, row.claimed_by) == ("cancelled", 0, None)
    assert [entry.id for entry in entries] == [batch.callbacks.get().pk.hex]
    assert assert_counters_equal_rows(batch).status == "cancelled"
    batch.callbacks.all().cancel()


def test_what_a_lost_worker_was_asked_to_stop_does_not_run_again(living_worker: Worker) -> None:
    batch = overdue(count=1)
    take(living_worker, batch.executions.get())
    batch.cancel()
    Worker.objects.update(status="lost")

    assert rescue(DEFAULT) == (1, [])

    row = batch.executions.get()
    assert (row.status, row.crashes) == ("cancelled", 1)
    assert assert_counters_equal_rows(batch).status == "cancelled"


# --- with a worker ---


def started(ledger: str, count: int = 1) -> None:
    wait_until(lambda: len(tasks.lines(ledger)) >= count, 20)


def test_a_plain_function_sees_it_and_ends_early(ledger: str) -> None:
    row = schedule(control_tasks.until_cancelled)(ledger)
    with RunningWorker():
        started(ledger)
        assert row.cancel() is True
        assert row.wait(20) == "ended early"

    assert row.status == "succeeded"


def test_a_plain_function_that_raises_then_has_failed(ledger: str) -> None:
    row = schedule(control_tasks.fail_when_cancelled)(ledger)
    with RunningWorker():
        started(ledger)
        row.cancel()
        wait_until(lambda: not Execution.objects.get(pk=row.pk).is_live, 20)

    row.refresh_from_db()
    assert (row.status, row.error_message) == ("failed", "stopped")


def test_a_retry_after_the_request_is_cancelled(ledger: str) -> None:
    row = schedule(control_tasks.fail_and_try_again)(ledger)
    with RunningWorker():
        started(ledger)
        row.cancel()
        with pytest.raises(ExecutionCancelled):
            row.wait(20)

    assert (row.attempts, tasks.lines(ledger)) == (1, ["started"])


def test_a_coroutine_is_cancelled(ledger: str) -> None:
    batch = Agenda([Call(control_tasks.sleep_async, (ledger,))]).scatter(
        start=now() - timedelta(hours=1), over=timedelta(seconds=1), on_complete=tasks.note_batch
    )
    with RunningWorker():
        started(ledger)
        assert batch.cancel() == 1
        batch.wait(20)
        wait_until(lambda: batch.callbacks.get().status == "succeeded", 20)

    row = batch.executions.get()
    assert (row.status, row.error_class, row.attempts) == ("cancelled", "", 1)
    assert Attempt.objects.get().outcome == "cancelled"
    assert assert_counters_equal_rows(batch).status == "cancelled"


def test_the_clean_up_of_a_coroutine_is_not_cancelled_again(ledger: str) -> None:
    row = schedule(control_tasks.clean_up_async)(ledger)
    with RunningWorker():
        started(ledger)
        row.cancel()
        with pytest.raises(ExecutionCancelled):
            row.wait(20)

    assert tasks.lines(ledger) == ["started", "cleaned up"]


def test_a_coroutine_that_goes_on_has_succeeded(ledger: str) -> None:
    row = schedule(control_tasks.refuse_to_stop_async)(ledger)
    with RunningWorker():
        started(ledger)
        row.cancel()
        assert row.wait(20) == "went on, True"


def test_what_was_claimed_and_not_started_never_starts(ledger: str, tmp_path: Path) -> None:
    end = tmp_path / "end"
    blocking = schedule(control_tasks.block)(ledger, str(end))
    with RunningWorker(concurrency=1) as running:
        started(ledger)
        running.process._hands._seconds_each = 0.001  # so that it claims more than it runs
        waiting = [schedule(control_tasks.block)(ledger, str(end)) for _ in range(3)]
        running.process._loops["claimer"].wake()
        claimed = Execution.objects.filter(pk__in=[row.pk for row in waiting])
        wait_until(lambda: claimed.filter(status="running").count() == 3, 20)
        assert claimed.cancel() == 3
        wait_until(lambda: claimed.filter(status="cancelled").count() == 3, 20)
        end.touch()
        assert blocking.wait(20) == "ended"
        wait_until(lambda: running.process._hands.held == 0, 20)

    assert tasks.lines(ledger) == ["started"]
    assert set(claimed.values_list("attempts", flat=True)) == {0}


def test_an_idle_worker_asks_nothing(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    from django_agenda.conf import get_settings
    from django_agenda.worker.cancellations import Cancellations
    from django_agenda.worker.hands import Hands
    from django_agenda.worker.holdings import Holdings
    from django_agenda.worker.in_hand import InHand

    hands = Hands(1, lambda: None)
    chore = Cancellations(DEFAULT, get_settings(), hands, InHand(), Holdings())

    with django_assert_num_queries(0):
        assert 0 < chore.tick() <= 1.0


# --- replace by key ---


def test_replacing_does_not_ask_what_runs_to_stop(living_worker: Worker) -> None:
    row = schedule(tasks.plain, key="k")()
    [one] = take(living_worker, row)

    assert schedule(tasks.plain, key="k", replace=True)().pk == row.pk

    row.refresh_from_db()
    assert row.cancel_requested_at is None
    record(DEFAULT, living_worker, [outcome(one, "succeeded")])


def test_the_async_twins_do_the_same() -> None:
    batch = batch_of(count=2)

    async def control() -> list[int]:
        return [
            await batch.apause(),
            await batch.aresume(),
            await batch.arespread(timedelta(hours=2)),
            await batch.acancel(),
            await batch.aretry_failed(),
            (await batch.await_end(1)).cancelled,
        ]

    assert async_to_sync(control)() == [2, 2, 2, 2, 0, 2]

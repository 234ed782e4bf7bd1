"""Pausing holds without changing what an execution is; resuming lets go, at once or spread."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from django_agenda import Call, schedule
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Worker
from django_agenda.scheduling.mark import mark_paused
from django_agenda.scheduling.reconcile import miss_expired
from django_agenda.scheduling.settle import settle, settle_all
from django_agenda.worker.claims import give_back
from django_agenda.worker.record import record
from django_agenda.worker.rescue import rescue
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_all_ended, assert_counters_equal_rows, ids_in_redis, moments_in_redis
from tests.waiting import wait_until

from .conftest import Configure, RunningWorker, Work, statuses
from .control import DEFAULT, HOUR, START, batch_of, outcome, overdue, take


def held(rows: Any) -> list[str]:
    return list(rows.order_by("position").values_list("held_by", flat=True))


# --- single executions and query sets ---


def test_what_is_paused_stays_what_it_is_and_leaves_redis(redis_server: RedisServer) -> None:
    row = schedule(tasks.plain, at=START, key="k")()

    assert row.pause() is True

    assert (row.status, row.held_by, row.live_key) == ("scheduled", "paused", "k")
    assert ids_in_redis(redis_server.client) == set()
    assert row.pause() is False


def test_what_is_resumed_keeps_its_moment(redis_server: RedisServer) -> None:
    row = schedule(tasks.plain, at=START)()
    before = moments_in_redis(redis_server.client)
    row.pause()

    assert row.resume() is True

    assert (row.held_by, row.due_at) == ("", START)
    assert moments_in_redis(redis_server.client) == before
    assert row.resume() is False


def test_what_is_paused_does_not_run_and_then_does(work: Work) -> None:
    row = schedule(tasks.add)(1, 2)
    row.pause()
    work()
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("scheduled", 0)

    row.resume()
    work()

    assert row.wait(1) == 3


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "missed", "cancelled"])
def test_what_does_not_wait_is_not_paused(status: str, living_worker: Worker) -> None:
    row = schedule(tasks.plain)()
    ended = None if status == "running" else now()
    Execution.objects.update(status=status, finished_at=ended)

    assert Execution.objects.all().pause() == 0

    row.refresh_from_db()
    assert (row.status, row.held_by) == (status, "")
    Execution.objects.update(status="cancelled", finished_at=now(), live_key=None)


def test_what_was_pending_is_still_pending(redis_server: RedisServer, work: Work) -> None:
    redis_server.kill()
    batch = overdue()
    assert batch.pause() == 3
    assert set(batch.executions.values_list("status", flat=True)) == {"pending"}
    assert (batch.pending, batch.status) == (3, "paused")
    redis_server.start()

    assert batch.resume() == 3

    assert (batch.pending, batch.scheduled, batch.enqueued) == (0, 3, 3)
    work()
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_resuming_many_spreads_what_is_overdue() -> None:
    rows = Execution.objects.all()
    for minutes in (5, 3, 1):
        schedule(tasks.plain, at=now() - timedelta(minutes=minutes))()
    later = schedule(tasks.plain, at=START)()
    rows.pause()
    began = now()

    assert rows.resume(over=HOUR) == 4

    due = list(rows.order_by("created_at").values_list("due_at", flat=True))
    assert due[3] == later.due_at == START
    assert [round((moment - began) / HOUR, 2) for moment in due[:3]] == [0.0, 0.5, 1.0]


def test_what_expired_while_held_is_judged_on_release(work: Work) -> None:
    one, two = (schedule(tasks.perishable, at=now() + timedelta(milliseconds=40))() for _ in "12")
    Execution.objects.all().pause()
    wait_until(lambda: now() > one.due_at + timedelta(milliseconds=10))
    assert miss_expired(DEFAULT) == 0
    work()
    assert set(Execution.objects.values_list("status", flat=True)) == {"scheduled"}

    one.resume()
    two.resume(over=timedelta(hours=10))
    work()

    assert Execution.objects.get(pk=one.pk).status == "missed"
    two.refresh_from_db()
    assert two.status == "scheduled"
    assert two.expires_at == two.due_at + timedelta(milliseconds=1)
    two.cancel()


@pytest.mark.parametrize("over", [timedelta(0), -HOUR, timedelta.max])
def test_a_span_that_cannot_be_is_refused_and_nothing_is_changed(over: timedelta) -> None:
    batch = overdue()
    batch.pause()

    with pytest.raises(ValueError, match=r"over|9999"):
        batch.resume(over=over)
    with pytest.raises(ValueError, match=r"over|9999"):
        batch.executions.resume(over=over)

    batch.refresh_from_db()
    assert batch.status == "paused"
    assert set(held(batch.executions)) == {"batch paused"}


# --- batches ---


def test_a_paused_batch_says_so_and_each_row_says_why(redis_server: RedisServer) -> None:
    batch = batch_of()

    assert batch.pause() == 3

    assert (batch.status, batch.scheduled, batch.pause_reason) == ("paused", 3, "")
    assert batch.paused_at is not None
    assert batch.settling_since is None
    assert held(batch.executions) == ["batch paused"] * 3
    assert ids_in_redis(redis_server.client) == set()
    assert batch.pause() == 0


def test_a_resumed_batch_goes_on(redis_server: RedisServer, work: Work) -> None:
    batch = overdue(count=20)
    batch.pause()
    work()
    assert assert_counters_equal_rows(batch).scheduled == 20

    assert batch.resume() == 20

    assert (batch.status, batch.paused_at, batch.enqueued) == ("scheduled", None, 20)
    work()
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_a_batch_that_had_begun_is_running_again() -> None:
    batch = batch_of()
    Batch.objects.update(started_at=now())
    batch.pause()
    batch.resume()

    assert batch.status == "running"


def test_a_batch_that_has_ended_cannot_be_paused(work: Work) -> None:
    batch = overdue()
    work()

    assert batch.pause() == 0

    assert (batch.status, batch.paused_at) == ("succeeded", None)


def test_a_batch_is_paused_in_chunks(configure: Configure) -> None:
    configure(CHUNK_SIZE=7)
    batch = batch_of(count=50)

    assert batch.pause() == 50
    assert batch.resume(over=HOUR) == 50

    assert set(held(batch.executions)) == {""}
    assert_counters_equal_rows(batch)


def test_resuming_a_batch_spreads_what_is_overdue_only(work: Work) -> None:
    batch = batch_of(count=5, start=now() - HOUR, over=4 * HOUR)
    batch.pause()
    before = list(batch.executions.values_list("due_at", flat=True))
    began = now()

    assert batch.resume(over=timedelta(minutes=10)) == 5

    after = list(batch.executions.values_list("due_at", flat=True))
    assert after[2:] == before[2:]
    assert [round((due - began).total_seconds()) for due in after[:2]] == [0, 600]


def test_a_member_that_was_paused_by_itself_stays_so() -> None:
    batch = batch_of()
    batch.executions.filter(position=1).pause()

    assert batch.pause() == 2
    assert batch.resume() == 2

    assert held(batch.executions) == ["", "paused", ""]
    assert batch.executions.all()[1].resume() is True


def test_a_member_of_a_paused_batch_is_let_go_of_to_the_batch() -> None:
    batch = batch_of()
    batch.pause()
    assert batch.executions.filter(position=1).pause() == 1
    assert held(batch.executions) == ["batch paused", "paused", "batch paused"]

    assert batch.executions.resume() == 0

    assert held(batch.executions) == ["batch paused"] * 3
    assert batch.resume() == 3


def test_a_pause_that_is_rolled_back_changes_nothing(redis_server: RedisServer) -> None:
    batch = batch_of()

    with transaction.atomic():
        assert batch.pause() == 3
        assert held(batch.executions) == ["batch paused"] * 3
        transaction.set_rollback(True)

    batch.refresh_from_db()
    assert (batch.status, held(batch.executions)) == ("scheduled", [""] * 3)
    assert len(ids_in_redis(redis_server.client)) == 3


def test_inside_a_transaction_redis_is_told_on_commit(redis_server: RedisServer) -> None:
    batch = batch_of()

    with transaction.atomic():
        batch.pause()
        assert len(ids_in_redis(redis_server.client)) == 3
    assert ids_in_redis(redis_server.client) == set()
    with transaction.atomic():
        assert batch.resume() == 3
        assert ids_in_redis(redis_server.client) == set()

    assert len(ids_in_redis(redis_server.client)) == 3
    batch.refresh_from_db()
    assert batch.settling_since is None


# --- the batch's row decides ---


def test_a_claim_puts_back_what_the_pause_has_not_reached(living_worker: Worker) -> None:
    batch = overdue()
    other = schedule(tasks.plain)()
    mark_paused(DEFAULT, batch.pk, "")

    [one] = take(living_worker, *batch.executions.all(), other)

    assert one.id == other.pk.hex
    rows = batch.executions.values_list("status", "held_by", "attempts", "claimed_by")
    assert set(rows) == {("scheduled", "batch paused", 0, None)}
    batch = assert_counters_equal_rows(batch)
    assert (batch.running, batch.started_at) == (0, None)
    record(DEFAULT, living_worker, [outcome(one)])
    batch.cancel()


def test_what_runs_comes_to_rest_in_a_paused_batch(living_worker: Worker) -> None:
    batch = overdue(count=4)
    claims = take(living_worker, *batch.executions.all())
    assert batch.pause() == 0

    recorded = record(
        DEFAULT,
        living_worker,
        [outcome(claims[0]), outcome(claims[1], "scheduled", retry_at=now())],
    )
    back = give_back(DEFAULT, living_worker, [(claims[2].id, claims[2].attempt)])
    Worker.objects.update(status="lost")
    rescued = rescue(DEFAULT)

    assert (recorded.entries, back, rescued) == ([], [], (1, []))
    assert held(batch.executions) == ["", "batch paused", "batch paused", "batch paused"]
    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.scheduled, batch.succeeded) == ("paused", 3, 1)
    assert batch.resume() == 3
    batch.cancel()


def test_a_pause_that_died_half_way_is_finished_by_the_caretaker(configure: Configure) -> None:
    batch = overdue(count=10)
    mark_paused(DEFAULT, batch.pk, "")
    assert set(held(batch.executions)) == {""}
    Batch.objects.update(settling_since=now() - HOUR)

    assert settle_all(DEFAULT) == 10

    assert set(held(batch.executions)) == {"batch paused"}
    assert settle_all(DEFAULT) == 0
    batch.cancel()


def test_a_resume_that_died_half_way_is_finished_by_the_caretaker(work: Work) -> None:
    batch = overdue(count=10)
    batch.pause()
    Batch.objects.update(paused_at=None, settling_since=now() - HOUR)

    with RunningWorker():
        batch.wait(20)

    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_whoever_settles_stops_when_the_batch_has_changed_its_mind(
    monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    from django_agenda.scheduling import settle as module

    configure(CHUNK_SIZE=2)
    batch = overdue(count=6)
    pages = module._pages

    def pages_then_resume(*args: Any) -> Iterator[list[str]]:
        monkeypatch.setattr(module, "_pages", pages)
        found = pages(*args)
        yield next(found)
        batch.resume()
        yield from found

    monkeypatch.setattr(module, "_pages", pages_then_resume)

    batch.pause()

    batch.refresh_from_db()
    assert (batch.paused_at, batch.settling_since) == (None, None)
    assert set(held(batch.executions)) == {""}
    settle(DEFAULT, batch.pk)
    assert set(held(batch.executions)) == {""}


def test_scattering_that_died_goes_on_only_after_the_pause(
    redis_server: RedisServer, work: Work
) -> None:
    batch = overdue(count=5)
    Batch.objects.update(told_until=2, enqueued=2)
    redis_server.flush()
    batch.pause()

    work()
    assert assert_counters_equal_rows(batch).told_until == 2

    batch.resume()
    assert (batch.told_until, batch.enqueued) == (5, 5)
    work()
    assert_all_ended()


def test_pausing_and_resuming_while_a_worker_runs_loses_nothing(work: Work) -> None:
    batch = overdue(count=300)
    with RunningWorker(concurrency=8):
        for _ in range(10):
            batch.pause()
            batch.resume()
        batch.wait(10)

    assert assert_counters_equal_rows(batch).succeeded == 300
    assert set(batch.executions.values_list("attempts", flat=True)) == {1}


def test_nothing_starts_after_a_pause_has_returned(ledger: str) -> None:
    calls = [Call(tasks.note, (ledger,)) for _ in range(400)]
    batch = overdue(*calls)
    with RunningWorker(concurrency=2) as running:
        wait_until(lambda: len(tasks.lines(ledger)) > 20)
        batch.pause()
        wait_until(running.process._is_idle)
        done = len(tasks.lines(ledger))
        batch.refresh_from_db()
        assert (batch.running, batch.succeeded) == (0, done)
        assert batch.status in ("paused", "succeeded")
        batch.resume()
        batch.wait(10)

    assert len(tasks.lines(ledger)) == 400
    assert set(statuses(batch)) == {"succeeded"}

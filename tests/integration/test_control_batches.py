"""A batch as a whole: the circuit breaker, waiting, and what an outage leaves behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from django_agenda import Agenda, Call, schedule
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Worker
from django_agenda.scheduling.misfire import settle_misfires
from django_agenda.scheduling.miss import miss
from django_agenda.signals import batch_paused
from django_agenda.worker.misfires import Misfires
from django_agenda.worker.record import record
from tests import control_tasks, tasks
from tests.sound import assert_all_ended, assert_counters_equal_rows
from tests.waiting import wait_until

from .conftest import Configure, RunningWorker, Work, statuses
from .control import DEFAULT, HOUR, START, batch_of, outcome, overdue, take

FAIL, GOOD = Call(tasks.fail), Call(tasks.plain)


# --- max_failures ---


def fail_some(worker: Worker, batch: Batch, failures: int, successes: int = 0) -> Batch:
    rows = list(batch.executions.filter(status="scheduled", held_by=""))[: failures + successes]
    claims = take(worker, *rows)
    words = ["failed"] * failures + ["succeeded"] * successes
    record(DEFAULT, worker, [outcome(one, word) for one, word in zip(claims, words, strict=True)])
    return assert_counters_equal_rows(batch)


def test_a_batch_in_which_too_many_failed_pauses_itself(living_worker: Worker) -> None:
    batch = overdue(count=10, max_failures=3)
    paused = []
    receive = lambda **fact: paused.append((fact["batch_id"], fact["reason"]))  # noqa: E731
    batch_paused.connect(receive)

    assert fail_some(living_worker, batch, 2, 3).status == "running"
    batch = fail_some(living_worker, batch, 1)

    assert (batch.status, batch.failed, batch.max_failures) == ("paused", 3, 3.0)
    assert batch.pause_reason == "3 of 6 failed; max_failures is 3"
    assert paused == [(batch.pk, batch.pause_reason)]
    assert take(living_worker, *batch.executions.filter(status="scheduled")) == []
    batch.cancel()


def test_a_share_counts_after_twenty_outcomes(living_worker: Worker) -> None:
    batch = overdue(count=40, max_failures=0.1)

    assert fail_some(living_worker, batch, 5, 14).status == "running"
    assert fail_some(living_worker, batch, 0, 1).status == "paused"
    batch.cancel()


def test_a_share_that_is_not_reached_goes_on(living_worker: Worker) -> None:
    batch = overdue(count=40, max_failures=0.1)

    assert fail_some(living_worker, batch, 1, 19).status == "running"
    assert fail_some(living_worker, batch, 1, 9).status == "running"
    assert fail_some(living_worker, batch, 1).status == "running"
    assert fail_some(living_worker, batch, 1).status == "paused"
    batch.cancel()


def test_what_is_missed_counts_as_a_failure() -> None:
    batch = overdue(count=5, max_failures=2, expires=1)

    miss(DEFAULT, [row.pk.hex for row in batch.executions.all()[:2]], now())

    assert assert_counters_equal_rows(batch).status == "paused"
    batch.cancel()


def test_what_is_to_be_tried_again_is_no_failure_yet(living_worker: Worker) -> None:
    batch = overdue(count=5, max_failures=1)
    claims = take(living_worker, *batch.executions.all())

    record(DEFAULT, living_worker, [outcome(one, "scheduled", retry_at=START) for one in claims])

    assert assert_counters_equal_rows(batch).status == "running"
    batch.cancel()


def test_resuming_right_after_it_paused_itself_counts_what_goes_on(living_worker: Worker) -> None:
    batch = fail_some(living_worker, overdue(count=10, max_failures=3), 3, 2)
    assert batch.status == "paused"

    assert batch.resume() == 5

    batch = fail_some(living_worker, batch, 3)
    with transaction.atomic():
        assert batch.resume() == 2
    assert batch.executions.filter(status="scheduled", held_by="").count() == 2
    batch.pause()
    assert batch.resume() == 2
    batch.cancel()


def test_a_batch_that_has_ended_is_not_paused(living_worker: Worker) -> None:
    batch = overdue(count=3, max_failures=1)

    batch = fail_some(living_worker, batch, 3)

    assert (batch.status, batch.paused_at) == ("failed", None)


def test_a_resumed_batch_has_as_many_failures_again(living_worker: Worker) -> None:
    batch = overdue(count=20, max_failures=3)
    fail_some(living_worker, batch, 3)
    batch.resume()

    assert fail_some(living_worker, batch, 2).status == "running"
    assert fail_some(living_worker, batch, 1).status == "paused"
    batch.resume()
    assert batch.retry_failed() == 6
    batch.refresh_from_db()
    assert batch.forgiven_failures == 0
    assert fail_some(living_worker, batch, 2).status == "running"
    assert fail_some(living_worker, batch, 1).status == "paused"
    batch.cancel()


def test_the_breaker_stops_a_worker(work: Work) -> None:
    batch = overdue(
        *[Call(control_tasks.fail_slowly)] * 200, max_failures=5, on_failure=tasks.note_batch
    )

    with RunningWorker(concurrency=1):
        wait_until(lambda: Batch.objects.get(pk=batch.pk).status == "paused")
        unheld = batch.executions.filter(held_by="")
        wait_until(lambda: unheld.live().count() == 0)
        wait_until(lambda: batch.callbacks.get().status == "succeeded")

    batch = assert_counters_equal_rows(batch)
    assert 5 <= batch.failed < 20
    assert batch.failed + batch.scheduled == 200


@pytest.mark.parametrize("limit", [0, -1, 1.5, 0.0, float("nan"), float("inf"), -0.1])
def test_a_limit_that_cannot_be_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="max_failures"):
        batch_of(max_failures=limit)
    assert not Batch.objects.exists()


@pytest.mark.parametrize("limit", [True, "3", [1]])
def test_a_limit_of_another_kind_is_a_type_error(limit: Any) -> None:
    with pytest.raises(TypeError, match="max_failures"):
        batch_of(max_failures=limit)


# --- wait ---


def test_waiting_returns_the_batch_as_it_ended(work: Work) -> None:
    batch = overdue(GOOD, FAIL)

    with RunningWorker():
        assert batch.wait(20) is batch

    assert (batch.status, batch.failed) == ("partly_failed", 1)


def test_waiting_too_long_is_a_time_out() -> None:
    batch = batch_of()

    with pytest.raises(TimeoutError, match="scheduled after"):
        batch.wait(timedelta(milliseconds=60))
    with pytest.raises(TimeoutError):
        async_to_sync(batch.await_end)(0.06)


def test_an_empty_batch_has_ended() -> None:
    batch = Agenda().scatter(over=HOUR)

    assert batch.wait(0).total == 0


# --- misfires ---


def long_overdue(**options: Any) -> Batch:
    return batch_of(count=5, start=now() - HOUR, over=timedelta(minutes=1), **options)


def test_by_default_what_is_overdue_runs(work: Work) -> None:
    batch = long_overdue()

    assert settle_misfires(DEFAULT) == 0
    work()

    assert statuses(batch) == ["succeeded"] * 5


def test_after_an_outage_what_is_overdue_can_be_skipped(configure: Configure, work: Work) -> None:
    configure(MISFIRE="skip", MISFIRE_AFTER=600, CHUNK_SIZE=2)
    batch = long_overdue(on_complete=tasks.note_batch)
    recent = batch_of(count=2, start=now() - timedelta(minutes=5), over=timedelta(minutes=1))
    callback = schedule(tasks.add)(1, 2)
    Execution.objects.filter(pk=callback.pk).update(due_at=now() - HOUR, callback_of=recent)

    work()

    assert statuses(batch) == ["missed"] * 5
    assert statuses(recent) == ["succeeded"] * 2
    assert assert_counters_equal_rows(batch).status == "failed"
    assert batch.callbacks.get().status == "succeeded"
    assert callback.wait(1) == 3


def test_after_an_outage_what_is_overdue_can_be_scattered_anew(
    configure: Configure, work: Work
) -> None:
    configure(MISFIRE=timedelta(hours=4), MISFIRE_AFTER=600, CHUNK_SIZE=2)
    batch = long_overdue()
    began = now()

    work()

    due = [round((row.due_at - began) / HOUR, 2) for row in batch.executions.all()]
    assert due == [0, 1, 2, 3, 4]
    assert statuses(batch)[1:] == ["scheduled"] * 4
    batch.cancel()


def test_what_is_held_is_no_misfire(configure: Configure) -> None:
    configure(MISFIRE="skip", MISFIRE_AFTER=600)
    batch = long_overdue()
    batch.pause()

    assert settle_misfires(DEFAULT) == 0

    batch.cancel()


def test_a_backlog_of_living_workers_is_no_outage(configure: Configure, work: Work) -> None:
    configure(MISFIRE="skip", MISFIRE_AFTER=600, WORKER_TTL=3600)
    Worker.objects.create(name="old", hostname="h", pid=1, started_at=now() - HOUR, beat_at=now())
    batch = long_overdue()

    work()

    assert statuses(batch) == ["succeeded"] * 5
    Worker.objects.update(status="stopped")
    assert_all_ended()


@pytest.mark.parametrize(
    ("started", "beat", "is_outage"),
    [(60, 0, False), (60, 5, False), (60, 15, True), (5, 0, True)],
)
def test_an_outage_is_when_no_worker_lived_through_it(
    started: int, beat: int, is_outage: bool, configure: Configure
) -> None:
    from django_agenda.conf import get_settings

    configure(MISFIRE="skip", MISFIRE_AFTER=600)
    minutes = timedelta(minutes=1)
    Worker.objects.create(
        name="other",
        hostname="h",
        pid=1,
        started_at=now() - started * minutes,
        beat_at=now() - beat * minutes,
        status="stopped",
    )
    batch = long_overdue()
    misfires = Misfires(DEFAULT, get_settings(), Worker)

    misfires.settle()

    assert (statuses(batch)[0] == "missed") is is_outage
    batch.cancel()


def test_the_time_between_two_heartbeats_is_no_outage(configure: Configure) -> None:
    from django_agenda.conf import get_settings

    configure(MISFIRE="skip", MISFIRE_AFTER=3, WORKER_TTL=30)
    seconds = timedelta(seconds=1)
    Worker.objects.create(
        name="other",
        hostname="h",
        pid=1,
        started_at=now() - HOUR,
        beat_at=now() - 4 * seconds,
        status="stopped",
    )
    batch = long_overdue()
    misfires = Misfires(DEFAULT, get_settings(), Worker)

    misfires.settle()
    misfires.note_silence(5)
    misfires.settle()

    assert statuses(batch)[0] == "scheduled"
    batch.cancel()


def test_a_database_that_was_away_that_long_was_an_outage(configure: Configure) -> None:
    from django_agenda.conf import get_settings

    configure(MISFIRE="skip", MISFIRE_AFTER=600)
    Worker.objects.create(
        name="old", hostname="h", pid=1, started_at=now() - HOUR, beat_at=now(), status="stopped"
    )
    batch = long_overdue()
    misfires = Misfires(DEFAULT, get_settings(), Worker)
    misfires.note_silence(599)
    misfires.settle()
    assert statuses(batch)[0] == "scheduled"

    misfires.note_silence(601)
    misfires.settle()

    assert statuses(batch)[0] == "missed"

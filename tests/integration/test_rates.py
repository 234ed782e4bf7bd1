"""`rate=`: never more starts in any stretch of time, and nobody waits for longer than need be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from django_agenda import Agenda, Call, Rate, schedule_many
from django_agenda.clock import monotonic, now
from django_agenda.models import Batch, Execution, Gate, Worker
from django_agenda.policies.policies import Policies
from django_agenda.scheduling.leave import forget
from django_agenda.worker.claims import claim, return_claims
from tests import gated_tasks as tasks
from tests.sound import assert_counters_equal_rows
from tests.tasks import lines
from tests.waiting import wait_until

from .conftest import Configure, RunningWorker
from .gates import DEFAULT, end, fresh, take

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def some(count: int, task: Any = tasks.twice_an_hour, **kwargs: Any) -> list[Execution]:
    start = now() - timedelta(minutes=1)
    return schedule_many(
        [Call(task, (), kwargs, at=start + timedelta(seconds=number)) for number in range(count)]
    )


def test_late_ones_are_moved_to_the_free_moments_in_their_order(living_worker: Worker) -> None:
    rows = some(7)
    moment = now()

    claims = take(living_worker, *rows, moment=moment)

    assert [one.id for one in claims] == [row.pk.hex for row in rows[:2]]
    hours = [round((fresh(row).due_at - moment) / HOUR, 2) for row in rows[2:]]
    assert hours == [1, 1, 2, 2, 3]
    assert fresh(rows[2]).due_at >= moment + HOUR
    moved = fresh(rows[2])
    assert (moved.status, moved.held_by, moved.attempts) == ("scheduled", "", 0)


def test_a_newcomer_comes_behind_what_was_promised(living_worker: Worker) -> None:
    rows = some(4)
    moment = now()
    take(living_worker, *rows, moment=moment)

    [newcomer] = some(1)
    take(living_worker, newcomer, moment=moment)

    assert fresh(newcomer).due_at >= fresh(rows[3]).due_at + HOUR


def test_what_was_cancelled_keeps_nothing_from_a_newcomer(living_worker: Worker) -> None:
    rows = some(30)
    moment = now()
    take(living_worker, *rows, moment=moment)
    Execution.objects.filter(pk__in=[row.pk for row in rows[2:]]).cancel()

    [newcomer] = some(1)
    take(living_worker, newcomer, moment=moment)

    assert moment + HOUR < fresh(newcomer).due_at < moment + HOUR + 5 * SECOND


def test_what_was_promised_starts_at_its_moment(living_worker: Worker) -> None:
    rows = some(4)
    moment = now()
    take(living_worker, *rows, moment=moment)
    then = fresh(rows[3]).due_at

    assert len(take(living_worker, *rows[2:], moment=then)) == 2
    assert take(living_worker, *some(1), moment=then) == []


def test_what_was_moved_by_hand_is_judged_again(living_worker: Worker) -> None:
    rows = some(3)
    moment = now()
    take(living_worker, *rows, moment=moment)
    rows[2].reschedule(at=moment)

    assert take(living_worker, rows[2], moment=moment) == []
    assert moment + HOUR < fresh(rows[2]).due_at < moment + HOUR + 5 * SECOND


def test_a_failed_start_counts_as_well(living_worker: Worker) -> None:
    rows = some(3)
    claims = take(living_worker, *rows[:2])
    end(living_worker, *claims, status="failed")

    assert take(living_worker, rows[2]) == []


def test_who_waits_for_a_slot_has_used_up_no_start(living_worker: Worker) -> None:
    first, second = some(1, tasks.seldom, customer=1) + some(1, tasks.seldom, customer=2)
    [running] = take(living_worker, first, second)
    assert fresh(second).held_by == Execution.NO_SLOT

    end(living_worker, running)

    assert len(take(living_worker, second)) == 1


def test_who_is_moved_by_its_rate_has_no_slot(living_worker: Worker) -> None:
    first, second = some(2, tasks.seldom, customer=1)
    [running] = take(living_worker, first)
    end(living_worker, running)

    assert take(living_worker, second) == []
    assert fresh(second).gate is None
    assert len(take(living_worker, *some(1, tasks.seldom, customer=2))) == 1


def test_what_expires_before_its_moment_is_missed(living_worker: Worker) -> None:
    rows = some(3)
    Execution.objects.filter(pk=rows[2].pk).update(expires_at=now() + timedelta(minutes=1))
    take(living_worker, *rows)

    assert fresh(rows[2]).expires_at < fresh(rows[2]).due_at  # type: ignore[operator]


def test_what_would_begin_too_late_for_its_moment_is_given_back(living_worker: Worker) -> None:
    [row] = some(1)
    moment = now()
    began = monotonic()
    [one] = claim(
        DEFAULT, living_worker, [row.pk.hex], moment=moment, starts=began, horizon=moment
    ).claims

    assert one.start is not None
    assert one.start.tolerance == 1_000_000
    assert Gate.objects.get().state["starts"] == [one.start.latest]
    forget(DEFAULT, [one.start])
    assert Gate.objects.get().state["starts"] == []


def test_a_slow_answer_of_the_broker_leaves_less_time_to_begin(living_worker: Worker) -> None:
    """The moment that it named may be as old as the answer took: the body would be too late."""
    [row] = some(1)
    moment, began = now(), monotonic()
    ids, blur = [row.pk.hex], 0.4
    [one] = claim(
        DEFAULT, living_worker, ids, moment=moment, starts=began, horizon=moment, blur=blur
    ).claims

    assert one.start is not None
    assert one.start.tolerance == 600_000
    assert one._replace(starts=monotonic() - 0.5).may_start
    assert not one._replace(starts=monotonic() - 0.7).may_start


def test_what_is_given_back_unbegun_has_used_up_no_start(living_worker: Worker) -> None:
    [row] = some(1, tasks.seldom, customer=7)
    claims = take(living_worker, row)

    return_claims(DEFAULT, claims)

    assert len(take(living_worker, row)) == 1


def test_a_body_that_is_given_back_while_it_runs_has_started(living_worker: Worker) -> None:
    [row] = some(1, tasks.seldom, customer=7)
    claims = take(living_worker, row)

    return_claims(DEFAULT, claims, have_begun=True)

    assert take(living_worker, row) == []
    assert fresh(row).due_at > now() + HOUR / 2


def test_what_a_paused_batch_puts_back_has_used_up_no_start(living_worker: Worker) -> None:
    batch = Agenda([Call(tasks.seldom, (7,))]).scatter(SECOND, start=now() - HOUR)
    [row] = batch.executions.all()
    Batch.objects.filter(pk=batch.pk).update(paused_at=now())  # and not settled yet
    assert take(living_worker, row) == []
    assert fresh(row).held_by == Execution.BATCH_PAUSED

    batch.resume()

    assert len(take(living_worker, row)) == 1


def test_a_promise_beyond_the_end_of_time_is_at_the_end_of_time(
    living_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = Policies(rate=Rate(1, per=timedelta.max))
    monkeypatch.setattr(tasks.twice_an_hour, "policies", ages)
    first, second = some(2)

    assert len(take(living_worker, first, second)) == 1

    assert fresh(second).due_at.year == 9999


def test_an_outcome_tells_when_it_really_began(living_worker: Worker) -> None:
    [one] = take(living_worker, *some(1))
    assert one.start is not None

    end(living_worker, one)

    assert Gate.objects.get().state["starts"] < [one.start.latest]


def test_workers_together_never_start_more_in_any_stretch(
    tmp_path: Path, configure: Configure
) -> None:
    path = tmp_path / "starts"
    calls = [Call(tasks.five_at_a_time, (str(path), number)) for number in range(30)]
    with RunningWorker(concurrency=4), RunningWorker(concurrency=4):
        batch = Agenda(calls).scatter(over=timedelta(milliseconds=1))
        wait_until(lambda: Batch.objects.get(pk=batch.pk).is_finished, 20)

    assert len(lines(path)) == 30
    # As it was written down right before each body; what a body writes itself may come later.
    starts = sorted(row.started_at for row in batch.executions.all() if row.started_at)
    gaps = [later - first for first, later in zip(starts, starts[5:], strict=False)]
    assert min(gaps) >= timedelta(seconds=0.4)
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_a_moved_one_is_late_by_the_moment_that_it_was_moved_to(living_worker: Worker) -> None:
    rows = some(3)
    take(living_worker, *rows)
    then = fresh(rows[2]).due_at

    [one] = take(living_worker, rows[2], moment=then)
    end(living_worker, one, started_at=then + timedelta(milliseconds=5), finished_at=then + SECOND)

    assert fresh(rows[2]).lag_ms == 5

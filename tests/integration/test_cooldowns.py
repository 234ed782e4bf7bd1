"""`cooldown=` and `debounce=`: one of many runs, the others are skipped and say why."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from django_agenda import Agenda, Call, Cooldown, Debounce, Rate, schedule
from django_agenda.clock import monotonic, now
from django_agenda.conf import get_settings
from django_agenda.models import Batch, Execution, Worker
from django_agenda.policies.policies import Policies
from django_agenda.worker.claim import Claim
from django_agenda.worker.claims import claim, give_back
from tests import gated_tasks as tasks
from tests.gated_tasks import SETTLE, visitors
from tests.sound import assert_counters_equal_rows
from tests.waiting import wait_until

from .conftest import RunningWorker, Work
from .gates import DEFAULT, end, fresh, take

HOUR = timedelta(hours=1)
LOOKAHEAD = get_settings().LOOKAHEAD


def test_the_first_runs_and_those_within_the_window_are_skipped(living_worker: Worker) -> None:
    first, second = schedule(tasks.rarely)(), schedule(tasks.rarely, key="k")()
    moment = now()

    assert len(take(living_worker, first, second, moment=moment)) == 1

    row = fresh(second)
    assert (row.status, row.attempts, row.live_key, row.worker) == ("skipped", 0, None, "")
    assert row.finished_at is not None
    assert row.error_message.startswith("Skipped by its cooldown until ")
    later = moment + HOUR + timedelta(seconds=5)
    assert len(take(living_worker, schedule(tasks.rarely)(), moment=later)) == 1


def test_each_value_has_a_cooldown_of_its_own(living_worker: Worker) -> None:
    first, second = schedule(tasks.rarely_each)(1), schedule(tasks.rarely_each)(2)
    [running] = take(living_worker, first)
    end(living_worker, running)

    assert len(take(living_worker, second)) == 1
    third = schedule(tasks.rarely_each)(1)
    take(living_worker, third)
    assert "of customer 1 until" in fresh(third).error_message


def test_a_retry_is_no_new_start(living_worker: Worker) -> None:
    row = schedule(tasks.rarely_each)(1, fails=True)
    [running] = take(living_worker, row)
    end(living_worker, running, status="scheduled", retry_at=now())

    assert len(take(living_worker, row)) == 1


def test_what_was_given_back_may_start_after_all(living_worker: Worker) -> None:
    row = schedule(tasks.rarely)()
    [running] = take(living_worker, row)
    give_back(DEFAULT, living_worker, [(running.id, running.attempt)])

    assert len(take(living_worker, row)) == 1


@pytest.mark.parametrize("then", ["cancel", "pause"])
def test_what_was_given_back_and_never_began_has_not_started_the_cooldown(
    living_worker: Worker, then: str
) -> None:
    first, second, third = (schedule(tasks.rarely)() for _ in range(3))
    [claimed] = take(living_worker, first)
    give_back(DEFAULT, living_worker, [(claimed.id, claimed.attempt)])
    getattr(first, then)()

    assert [one.id for one in take(living_worker, second)] == [second.pk.hex]

    assert take(living_worker, third) == []
    assert fresh(third).status == "skipped"
    Execution.objects.filter(pk=first.pk).cancel()


def test_who_waits_for_a_slot_has_not_started_the_cooldown(living_worker: Worker) -> None:
    other, first = schedule(tasks.rarely_each)(1), schedule(tasks.rarely_each)(2)
    take(living_worker, other, first)
    assert fresh(first).held_by == Execution.NO_SLOT

    second = schedule(tasks.rarely_each)(2)
    take(living_worker, second)

    assert fresh(second).held_by == Execution.NO_SLOT


def test_a_batch_ends_when_its_last_one_is_skipped(work: Work) -> None:
    batch = Agenda([Call(tasks.rarely) for _ in range(5)]).scatter(
        over=timedelta(seconds=1),
        start=now() - timedelta(minutes=1),
        on_complete="tests.tasks.note_batch",
    )

    work(concurrency=4)

    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.succeeded, batch.skipped) == ("succeeded", 1, 4)
    assert batch.callbacks.count() == 1


@pytest.mark.parametrize(("task", "kept"), [(tasks.settle_first, 0), (tasks.settle_last, 9)])
def test_one_of_a_burst_runs_once_it_is_over(tmp_path: Path, task: Any, kept: int) -> None:
    path = str(tmp_path / "visits")
    calls = [Call(task, (path, 1, number)) for number in range(10)]
    with RunningWorker(concurrency=4), RunningWorker(concurrency=4):
        batch = Agenda(calls).scatter(over=timedelta(seconds=1))
        wait_until(lambda: Batch.objects.get(pk=batch.pk).is_finished, 20)

    batch = assert_counters_equal_rows(batch)
    assert (batch.succeeded, batch.skipped) == (1, 9)
    assert visitors(path) == [kept]
    ran = batch.executions.get(status="succeeded")
    last = batch.executions.get(position=9)
    assert ran.started_at is not None
    assert ran.started_at >= batch.end + SETTLE - timedelta(milliseconds=10), last.due_at
    assert "runs" in batch.executions.filter(status="skipped")[0].error_message


@pytest.mark.parametrize(("task", "kept"), [(tasks.settle_first, 0), (tasks.settle_last, 1)])
@pytest.mark.parametrize("judged", [(0, 1), (1, 0)], ids=["in order", "by another worker first"])
def test_which_one_of_a_burst_runs_goes_by_when_they_are_due(
    living_worker: Worker, task: Any, kept: int, judged: tuple[int, int]
) -> None:
    moment = now()
    rows = [
        schedule(task, at=moment - timedelta(milliseconds=20 - number))("/dev/null", 1, number)
        for number in range(2)
    ]
    for number in judged:
        assert take(living_worker, rows[number], moment=moment) == []

    soon = max(fresh(row).due_at for row in rows)
    chosen, other = rows[kept], rows[1 - kept]
    assert [one.id for one in take(living_worker, chosen, moment=soon)] == [chosen.pk.hex]
    assert take(living_worker, other, moment=soon) == []
    row = fresh(other)
    assert row.status == "skipped"
    assert row.error_message.endswith("an earlier one runs" if kept == 0 else "a later one runs")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("task", "kept"), [(tasks.settle_first, 0), (tasks.settle_last, 7)])
def test_one_of_a_burst_runs_however_late_each_of_it_is_claimed(
    living_worker: Worker, task: Any, kept: int, seed: int
) -> None:
    lateness, moment = random.Random(seed), now() - timedelta(minutes=1)
    rows = [schedule(task, at=moment + n * SETTLE / 5)("/dev/null", 1, n) for n in range(8)]

    def claimed_at(row: Execution) -> datetime:
        return row.due_at + lateness.uniform(0, 0.7) * SETTLE

    ran: list[int] = []
    waiting = {number: claimed_at(row) for number, row in enumerate(rows)}
    while waiting:
        number = min(waiting, key=waiting.__getitem__)
        if take(living_worker, rows[number], moment=waiting.pop(number)):
            ran.append(number)
        elif (row := fresh(rows[number])).status == "scheduled":
            waiting[number] = claimed_at(row)

    assert ran == [kept]
    assert Execution.objects.filter(status="skipped").count() == 7


def test_a_second_burst_runs_once_more(living_worker: Worker) -> None:
    first, second = (schedule(tasks.settle_first)("/dev/null", 1, n) for n in range(2))
    moment = now()
    assert take(living_worker, first, moment=moment) == []
    due = fresh(first).due_at
    assert due >= moment + SETTLE + LOOKAHEAD
    [running] = take(living_worker, first, moment=due)
    end(living_worker, running)

    assert take(living_worker, second, moment=due) == []
    assert fresh(second).status == "scheduled"


def test_one_that_comes_while_the_chosen_one_is_claimed_ahead_is_waited_for(
    living_worker: Worker,
) -> None:
    first, second = (schedule(tasks.settle_last)("/dev/null", 1, n) for n in range(2))
    moment = now()
    take(living_worker, first, moment=moment)
    soon = moment + timedelta(seconds=0.2)

    assert ahead(living_worker, first, moment=soon) == []
    assert take(living_worker, second, moment=soon) == []
    assert ahead(living_worker, first, moment=fresh(first).due_at) == []
    assert fresh(first).status == "skipped"
    later = fresh(second).due_at
    [one] = ahead(living_worker, second, moment=later)
    assert one.starts <= monotonic()


def ahead(worker: Worker, *rows: Execution, moment: datetime) -> list[Claim]:
    ids = [row.pk.hex for row in rows]
    horizon = moment + LOOKAHEAD
    return claim(DEFAULT, worker, ids, moment=moment, starts=monotonic(), horizon=horizon).claims


def test_a_chosen_one_that_is_cancelled_does_not_silence_the_next(living_worker: Worker) -> None:
    first, second = (schedule(tasks.settle_first)("/dev/null", 1, n) for n in range(2))
    moment = now()
    take(living_worker, first, moment=moment)
    first.cancel()

    take(living_worker, second, moment=moment)

    row = fresh(second)
    assert row.status == "scheduled"
    assert row.due_at >= moment + SETTLE + LOOKAHEAD


def test_one_that_was_replaced_runs_when_the_other_is_cancelled(living_worker: Worker) -> None:
    moment = now() - timedelta(minutes=1)
    first, second = (schedule(tasks.settle_last, at=moment)("/dev/null", 1, n) for n in range(2))
    for row in (first, second):
        assert take(living_worker, row, moment=moment) == []
    second.cancel()

    # It waits once more, for others that might come now.
    assert take(living_worker, first, moment=fresh(first).due_at) == []
    [one] = take(living_worker, first, moment=fresh(first).due_at)

    assert one.id == first.pk.hex


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (Policies(cooldown=Cooldown(timedelta.max)), "skipped"),
        (Policies(debounce=Debounce(timedelta.max)), "scheduled"),
    ],
    ids=["cooldown", "debounce"],
)
def test_a_window_without_end_stops_no_worker(
    living_worker: Worker, monkeypatch: pytest.MonkeyPatch, policy: Policies, status: str
) -> None:
    monkeypatch.setattr(tasks.rarely, "policies", policy)
    first, second = schedule(tasks.rarely)(), schedule(tasks.rarely)()
    take(living_worker, first)

    assert take(living_worker, second) == []

    assert {fresh(first).status, fresh(second).status} & {status}
    Execution.objects.live().cancel()


def chosen_and_put_off(worker: Worker) -> Execution:
    row = schedule(tasks.settle_first)("/dev/null", 7, 1)
    assert take(worker, row) == []
    return row


@pytest.mark.parametrize(
    "put_away",
    [
        lambda row: row.pause(),
        lambda row: row.reschedule(by=HOUR),
        lambda row: row.reschedule(at=now() + HOUR),
    ],
    ids=["paused", "an hour later", "in an hour"],
)
def test_a_chosen_one_that_was_put_away_does_not_silence_the_next(
    living_worker: Worker, put_away: Any
) -> None:
    first = chosen_and_put_off(living_worker)
    assert put_away(first)

    second = schedule(tasks.settle_first)("/dev/null", 7, 2)
    take(living_worker, second)
    assert fresh(second).status == "scheduled"

    soon = fresh(second).due_at
    assert [one.id for one in take(living_worker, second, moment=soon)] == [second.pk.hex]
    fresh(first).resume()
    assert take(living_worker, first, moment=soon + 2 * HOUR) == []
    assert fresh(first).status == "scheduled"
    Execution.objects.live().cancel()


def test_the_last_that_came_runs_though_its_forerunner_waited_for_its_rate(
    living_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Policies(debounce=Debounce(0.3, keep="last"), rate=Rate(1, per=HOUR))
    monkeypatch.setattr(tasks.rarely, "policies", both)
    start = now()
    zeroth, first, second = (
        schedule(tasks.rarely, at=start + HOUR * hours)() for hours in (-2, -1, 0)
    )
    take(living_worker, zeroth, moment=start)
    [started] = take(living_worker, zeroth, moment=fresh(zeroth).due_at)
    take(living_worker, first, moment=now())
    assert take(living_worker, first, moment=fresh(first).due_at) == []  # its rate puts it off
    promised = fresh(first).due_at
    assert promised > start + HOUR / 2

    take(living_worker, second, moment=promised - timedelta(seconds=0.1))
    assert take(living_worker, first, moment=promised) == []

    assert fresh(first).status == "skipped"
    assert fresh(second).status == "scheduled"
    end(living_worker, started)
    Execution.objects.live().cancel()

"""`concurrency=`: never more at once than there are slots, in order, and nobody is forgotten."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from django_agenda import (
    Agenda,
    Call,
    Limit,
    pause_queue,
    restore,
    resume_queue,
    schedule,
    schedule_many,
    strike,
)
from django_agenda.broker.connection import client
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Gate, Worker
from django_agenda.policies.policies import Policies
from django_agenda.scheduling.miss import miss
from django_agenda.scheduling.reconcile import miss_expired
from django_agenda.scheduling.repair import reconcile
from django_agenda.scheduling.slots import RESERVED, let_all_in
from django_agenda.worker.claims import give_back
from django_agenda.worker.refused import refused
from django_agenda.worker.rescue import rescue
from tests import gated_tasks as tasks
from tests.gated_tasks import most_at_once, visitors
from tests.sound import assert_counters_equal_rows, ids_in_redis
from tests.waiting import wait_until

from .conftest import RunningWorker, Work
from .gates import DEFAULT, end, take

WAITS = Execution.NO_SLOT


def some(count: int, task: Any = tasks.alone, **kwargs: Any) -> list[Execution]:
    start = now() - timedelta(minutes=1)
    return schedule_many(
        [
            Call(task, ("/dev/null",), kwargs, at=start + timedelta(seconds=number))
            for number in range(count)
        ]
    )


def held(*rows: Execution) -> list[str]:
    return [Execution.objects.get(pk=row.pk).held_by for row in rows]


def end_by_hand(row: Execution) -> None:
    """Free its slot, and let nobody notice."""
    changes = {"status": "succeeded", "finished_at": now(), "gate": None, "claimed_by": None}
    Execution.objects.filter(pk=row.pk).update(**changes)


# --- the claim ---


def test_only_so_many_of_a_claim_pass_as_there_are_slots(living_worker: Worker) -> None:
    first, second, third = rows = some(3, tasks.in_pairs)

    claims = take(living_worker, *rows)

    assert [one.id for one in claims] == [first.pk.hex, second.pk.hex]
    assert held(*rows) == ["", "", WAITS]
    third.refresh_from_db()
    assert (third.status, third.attempts, third.worker, third.claimed_by, third.started_at) == (
        "scheduled", 0, "", None, None,
    )  # fmt: skip


def test_another_value_has_slots_of_its_own(living_worker: Worker) -> None:
    rows = [schedule(tasks.one_of_each)("/dev/null", customer=number % 3) for number in range(6)]

    assert len(take(living_worker, *rows)) == 3
    assert Gate.objects.count() == 3


@pytest.mark.parametrize(
    "arguments",
    [((), {}), ((7,), {}), ((), {"customer": 7}), ((), {"customer": 7.0})],
    ids=["by default", "by place", "by name", "as a float"],
)
def test_however_a_value_was_given_it_is_one_value(living_worker: Worker, arguments: Any) -> None:
    args, kwargs = arguments
    first = schedule(tasks.one_of_each)("/dev/null", customer=7)
    take(living_worker, first)

    second = schedule(tasks.one_of_each)("/dev/null", *args, **kwargs)

    assert take(living_worker, second) == []
    assert held(second) == [WAITS]


@pytest.mark.parametrize("value", [None, {"b": [1], "a": "ü"}, "x" * 1000, [True, 0.5], now()])
def test_any_argument_can_be_the_value(living_worker: Worker, value: Any) -> None:
    first, second = (schedule(tasks.one_of_each)("/dev/null", value) for _ in range(2))

    assert len(take(living_worker, first, second)) == 1
    assert len(Gate.objects.get().label) <= 255


def test_the_end_of_one_lets_in_the_first_in_line(living_worker: Worker) -> None:
    rows = some(3)
    [running] = take(living_worker, *rows)

    told = end(living_worker, running)

    assert told == [rows[1].pk.hex]
    assert held(*rows) == ["", "", WAITS]


def test_those_in_line_come_by_priority_and_then_by_due_time(living_worker: Worker) -> None:
    rows = some(4)
    Execution.objects.filter(pk=rows[3].pk).update(priority=5)
    [running] = take(living_worker, rows[0])
    take(living_worker, *rows[1:])
    order = []

    for _ in range(3):
        [next_id] = end(living_worker, running)
        order.append(next_id)
        [running] = take(living_worker, Execution.objects.get(pk=next_id))

    assert order == [row.pk.hex for row in (rows[3], rows[1], rows[2])]


def test_a_newcomer_does_not_take_the_slot_that_is_kept_for_another(living_worker: Worker) -> None:
    first, second, newcomer = some(3)
    [running] = take(living_worker, first, second)
    end(living_worker, running)

    assert take(living_worker, newcomer) == []
    assert [one.id for one in take(living_worker, second)] == [second.pk.hex]


def test_a_newcomer_lets_in_who_has_waited_for_longer(living_worker: Worker) -> None:
    first, second, newcomer = some(3)
    [running] = take(living_worker, first, second)
    end_by_hand(first)

    assert take(living_worker, newcomer) == []
    assert held(second, newcomer) == ["", WAITS]
    assert running


def test_a_slot_is_not_kept_for_ever(living_worker: Worker) -> None:
    first, second, newcomer = some(3)
    [running] = take(living_worker, first, second)
    end(living_worker, running)
    Execution.objects.filter(pk=second.pk).update(held_at=now() - RESERVED)

    assert len(take(living_worker, newcomer)) == 1
    assert take(living_worker, second) == []


# --- all that frees a slot ---


def test_a_retry_frees_its_slot(living_worker: Worker) -> None:
    first, second = some(2)
    [running] = take(living_worker, first, second)

    told = end(living_worker, running, status="scheduled", retry_at=now() + timedelta(hours=1))

    assert second.pk.hex in told
    assert Execution.objects.get(pk=first.pk).gate is None


def test_what_a_dead_worker_ran_frees_its_slot(living_worker: Worker) -> None:
    first, second = some(2)
    take(living_worker, first, second)
    Worker.objects.update(status="lost")

    _, entries = rescue(DEFAULT)

    assert {entry.id for entry in entries} == {first.pk.hex, second.pk.hex}
    Worker.objects.update(status="active")
    assert [one.id for one in take(living_worker, first, second)] == [first.pk.hex]


def test_what_is_given_back_frees_its_slot(living_worker: Worker) -> None:
    first, second = some(2)
    [running] = take(living_worker, first, second)

    entries = give_back(DEFAULT, living_worker, [(running.id, running.attempt)])

    assert {entry.id for entry in entries} == {first.pk.hex, second.pk.hex}


def test_the_caretaker_finds_a_slot_that_nobody_noticed(living_worker: Worker) -> None:
    first, second, third = some(3)
    [running] = take(living_worker, first, second, third)
    end(living_worker, running)
    second.cancel()
    assert let_all_in(DEFAULT) == 1  # the slot was kept for one that was cancelled

    assert held(third) == [""]
    [running] = take(living_worker, third)
    end(living_worker, running)
    assert let_all_in(DEFAULT) == 0
    assert not Gate.objects.filter(waiting_since__isnull=False).exists()


# --- beside the verbs ---


def test_one_in_line_can_be_cancelled(living_worker: Worker) -> None:
    first, second = some(2)
    [running] = take(living_worker, first, second)

    assert second.cancel()

    assert end(living_worker, running) == []
    assert Execution.objects.get(pk=second.pk).status == "cancelled"


def test_a_paused_one_loses_its_place_in_line_and_no_resume_gives_it_a_slot(
    living_worker: Worker,
) -> None:
    first, second, third = some(3)
    [running] = take(living_worker, first, second, third)
    assert second.pause()
    assert end(living_worker, running) == [third.pk.hex]
    [running] = take(living_worker, third)

    assert second.resume()

    assert take(living_worker, second) == []
    assert held(second) == [WAITS]
    assert end(living_worker, running) == [second.pk.hex]


def test_resume_passes_over_those_in_line(living_worker: Worker) -> None:
    first, second = some(2)
    take(living_worker, first, second)

    assert not second.resume()

    assert held(second) == [WAITS]


def test_a_paused_batch_holds_those_in_line_and_its_end_is_counted_once(
    living_worker: Worker,
) -> None:
    calls = [Call(tasks.alone, ("/dev/null",)) for _ in range(3)]
    batch = Agenda(calls).scatter(over=timedelta(seconds=1), start=now() - timedelta(minutes=1))
    rows = list(batch.executions.all())
    [running] = take(living_worker, *rows)
    batch.pause()
    assert held(*rows[1:]) == [Execution.BATCH_PAUSED] * 2

    assert end(living_worker, running) == []
    batch.resume()
    for row in rows[1:]:
        [running] = take(living_worker, row)
        end(living_worker, running)

    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_a_row_that_waits_for_a_slot_expires(living_worker: Worker) -> None:
    first, second = some(2)
    take(living_worker, first, second)
    Execution.objects.filter(pk=second.pk).update(expires_at=now() - timedelta(seconds=1))

    assert miss_expired(DEFAULT) == 1
    assert Execution.objects.get(pk=second.pk).status == "missed"
    assert miss(DEFAULT, [first.pk.hex], now()) == 0


def test_one_that_has_expired_in_line_keeps_nobody_behind_it_waiting(
    living_worker: Worker,
) -> None:
    first, second, third = some(3)
    [running] = take(living_worker, first, second, third)
    Execution.objects.filter(pk=second.pk).update(expires_at=now() - timedelta(seconds=1))

    assert end(living_worker, running) == [third.pk.hex]

    [running] = take(living_worker, third)
    assert end(living_worker, running) == []
    assert miss_expired(DEFAULT) == 1
    assert let_all_in(DEFAULT) == 0
    assert not Gate.objects.filter(waiting_since__isnull=False).exists()


def test_those_of_a_paused_queue_are_passed_over(living_worker: Worker) -> None:
    first, second, third = some(3)
    Execution.objects.filter(pk=second.pk).update(queue_name="mail")
    [running] = take(living_worker, first, second, third)
    pause_queue("mail")

    assert end(living_worker, running) == [third.pk.hex]
    [running] = take(living_worker, third)
    assert end(living_worker, running) == []

    resume_queue("mail")
    assert let_all_in(DEFAULT) == 1
    assert held(second) == [""]


def test_those_in_line_are_no_drift(living_worker: Worker) -> None:
    rows = some(3)
    take(living_worker, *rows)

    assert refused(DEFAULT, [row.pk.hex for row in rows], now()) == ([], [])
    Execution.objects.filter(status="running").update(due_at=now())
    report = reconcile(DEFAULT, repair=False)
    assert (report.missing, report.expired, report.drifts) == (0, 0, [])


def test_one_in_line_that_is_given_another_moment_leaves_the_line_until_then(
    living_worker: Worker, work: Work
) -> None:
    first, second = some(2)
    [running] = take(living_worker, first, second)
    second.reschedule(at=now() + timedelta(hours=1))
    assert held(second) == [""]
    assert second.pk in ids_in_redis(client())

    assert end(living_worker, running) == []
    assert let_all_in(DEFAULT) == 0
    assert work() == 0  # a burst does not wait for it either
    second.reschedule(at=now())
    work()
    assert Execution.objects.get(pk=second.pk).status == "succeeded"


def test_one_in_line_that_is_run_now_joins_the_line_again(living_worker: Worker) -> None:
    rows = some(3)
    [running] = take(living_worker, *rows)
    assert rows[1].reschedule(at=now())

    assert take(living_worker, rows[1]) == []

    assert held(*rows) == ["", WAITS, WAITS]
    assert end(living_worker, running) == [rows[2].pk.hex]


def test_a_new_size_holds_from_the_next_claim_on(
    living_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = some(4)
    [running] = take(living_worker, *rows)
    monkeypatch.setattr(tasks.alone, "policies", tasks.in_pairs.policies)
    newcomer = schedule(tasks.alone)("/dev/null")

    take(living_worker, newcomer)

    assert held(*rows, newcomer) == ["", "", WAITS, WAITS, WAITS]
    assert running


def drain(worker: Worker, running: Any) -> list[str]:
    """End one after the other, without a caretaker; return the ids in the order of their turns."""
    order = []
    while running is not None:
        order.append(running.id)
        end(worker, running)
        free = Execution.objects.filter(status="scheduled", held_by="").first()
        [running] = take(worker, free) if free is not None else [None]
    return order


def test_those_in_line_go_one_by_one_when_their_task_has_no_limit_any_more(
    living_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = some(4)
    [running] = take(living_worker, *rows)
    monkeypatch.setattr(tasks.alone, "policies", None)

    assert drain(living_worker, running) == [row.pk.hex for row in rows]


def test_a_change_of_by_leaves_nobody_in_the_old_line(
    living_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [schedule(tasks.one_of_each)("/dev/null", 7, number / 10) for number in range(4)]
    [running] = take(living_worker, *rows)
    other = Policies(concurrency=Limit(1, by="seconds"))
    monkeypatch.setattr(tasks.one_of_each, "policies", other)
    end(living_worker, running)

    for row, behind in pairwise(rows[1:]):
        assert len(take(living_worker, row)) == 1
        assert held(behind) == [""]


def test_one_that_is_struck_in_line_lets_in_the_next(living_worker: Worker) -> None:
    rows = [schedule(tasks.alone)("/dev/null", number) for number in range(5)]
    [running] = take(living_worker, *rows)
    made = strike(tasks.alone, "number", "between", (1, 3))
    end(living_worker, running)

    for row in rows[1:4]:
        assert take(living_worker, row) == []

    assert held(*rows[1:]) == [made.held_by] * 3 + [""]
    assert restore(tasks.alone, "number", "between", (1, 3)) == 3
    assert len(take(living_worker, *rows[1:])) == 1


def test_a_secret_is_no_part_of_the_label(living_worker: Worker) -> None:
    take(living_worker, schedule(tasks.with_a_secret)("hunter2hunter2"))

    assert "hunter2" not in Gate.objects.get().label


# --- whole workers ---


def test_a_burst_runs_everything_one_at_a_time_and_in_order(work: Work, tmp_path: Path) -> None:
    path = str(tmp_path / "visits")
    calls = [Call(tasks.alone, (path, number)) for number in range(30)]
    batch = Agenda(calls).scatter(over=timedelta(seconds=1), start=now() - timedelta(minutes=1))

    work(concurrency=8)

    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.succeeded) == ("succeeded", 30)
    assert most_at_once(path) == 1
    assert visitors(path) == list(range(30))


def test_failures_and_retries_never_meet(work: Work, tmp_path: Path) -> None:
    path = str(tmp_path / "visits")
    for _ in range(4):
        schedule(tasks.fail_alone)(path, 1)

    with RunningWorker(concurrency=8):
        wait_until(lambda: Execution.objects.filter(status="failed").count() == 4)

    assert len(visitors(path)) == 12
    assert most_at_once(path) == 1


def test_one_that_waits_hears_of_a_free_slot_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "visits")
    with RunningWorker(concurrency=4), RunningWorker(concurrency=4):
        batch = Agenda([Call(tasks.in_pairs, (path, n, 0.02)) for n in range(40)]).scatter(
            over=timedelta(milliseconds=1)
        )
        wait_until(lambda: Batch.objects.get(pk=batch.pk).is_finished)

    assert most_at_once(path) == 2
    assert assert_counters_equal_rows(batch).status == "succeeded"


def test_without_redis_the_line_moves_as_well(
    redis_server: Any, tmp_path: Path, work: Work
) -> None:
    path = str(tmp_path / "visits")
    calls = [Call(tasks.alone, (path, number)) for number in range(5)]
    batch = Agenda(calls).scatter(over=timedelta(seconds=1), start=now() - timedelta(minutes=1))
    redis_server.kill()

    with RunningWorker(concurrency=8):
        wait_until(lambda: Batch.objects.get(pk=batch.pk).is_finished, 20)

    assert (most_at_once(path), visitors(path)) == (1, list(range(5)))

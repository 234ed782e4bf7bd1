"""What a run can do with its schedule, and with the agenda of its tick."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from django_agenda import OutsideTask, current, schedule
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Schedule
from django_agenda.tasks.task import Task
from tests import recurring_tasks as tasks
from tests.integration.conftest import RunningWorker, Work
from tests.tasks import lines
from tests.waiting import wait_until

from .conftest import make_due

HOUR = timedelta(hours=1)


def hourly(task: Any, *args: Any, **options: Any) -> Schedule:
    return Schedule.objects.interval(task, HOUR, args=args, **options)


def test_a_run_gives_the_next_ones_other_arguments(work: Work, ledger: str) -> None:
    schedule = hourly(tasks.go_on, ledger)
    for _ in range(3):
        make_due(schedule)
        assert work() == 0
    assert lines(ledger) == ["1", "2", "3"]
    schedule.refresh_from_db()
    assert schedule.args == [ledger, 4]
    # Its definition is still the one that it was given.
    assert hourly(tasks.go_on, ledger) == schedule


def test_a_run_gives_the_next_one_its_moment_also_from_a_coroutine(ledger: str) -> None:
    schedule = hourly(tasks.go_on_soon, ledger)
    make_due(schedule)
    with RunningWorker():
        wait_until(lambda: lines(ledger) == ["1", "2", "3"], 10)
        wait_until(lambda: Execution.objects.filter(status="succeeded").count() == 3)
    schedule.refresh_from_db()
    assert schedule.next_at is not None
    assert (schedule.next_at - schedule.anchor) % HOUR == timedelta(0)


def test_what_was_to_run_once_goes_on_for_as_long_as_its_runs_say(ledger: str) -> None:
    once = Schedule.objects.once(tasks.go_on_soon, now(), args=[ledger])
    with RunningWorker():
        wait_until(lambda: lines(ledger) == ["1", "2", "3"], 10)
        wait_until(lambda: Execution.objects.filter(status="succeeded").count() == 3)
    once.refresh_from_db()
    assert not once.enabled


@pytest.mark.parametrize("task", [tasks.stop_after, tasks.stop_together])
def test_a_run_stops_its_schedule(task: Task[..., Any], work: Work, ledger: str) -> None:
    schedule = hourly(task, ledger)
    make_due(schedule)
    assert work() == 0
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.next_at) == (False, None)
    assert lines(ledger) == ["ran"]


def test_what_it_asked_for_is_done_also_when_it_fails(work: Work) -> None:
    schedule = hourly(tasks.fail_and_stop)
    make_due(schedule)
    assert work() == 0
    schedule.refresh_from_db()
    assert not schedule.enabled
    assert Execution.objects.get().status == "failed"


def test_what_is_no_run_of_a_schedule_has_none_to_change(work: Work) -> None:
    schedule(tasks.ask_in_vain)()
    schedule(tasks.flood)("nowhere", 1)
    assert work() == 0
    errors = Execution.objects.values_list("error_class", "error_message")
    assert sorted(errors) == [
        (
            "django_agenda.exceptions.OutsideTask",
            "'current.agenda' is for a run of a schedule that has 'over', and this is none",
        ),
        (
            "django_agenda.exceptions.OutsideTask",
            "'current.next' is for a run of a schedule, and this is none",
        ),
    ]
    with pytest.raises(OutsideTask):
        current.stop_schedule()


@pytest.mark.parametrize("task", [tasks.flood, tasks.flood_async])
def test_a_tick_scatters_what_its_task_adds_to_its_agenda(
    task: Task[..., Any], work: Work, ledger: str
) -> None:
    schedule = hourly(task, ledger, 3, over=timedelta(milliseconds=60))
    make_due(schedule)
    assert work() == 0
    batch = Batch.objects.get()
    assert (batch.total, batch.over) == (3, timedelta(milliseconds=60))
    wait_until(lambda: work() == 0 and Batch.objects.get().status == "succeeded")
    assert sorted(lines(ledger)) == ["flood 0", "flood 1", "flood 2"]


def test_a_tick_that_adds_nothing_makes_no_batch(work: Work, ledger: str) -> None:
    make_due(hourly(tasks.flood, ledger, 0, over=60))
    assert work() == 0
    assert not Batch.objects.exists()


def test_a_tick_that_fails_scatters_nothing(work: Work, ledger: str) -> None:
    make_due(hourly(tasks.flood_and_fail, ledger, over=60))
    assert work() == 0
    assert not Batch.objects.exists()


def test_a_run_is_tried_again_and_timed_out_as_its_schedule_says(
    work: Work, tmp_path: Path, ledger: str
) -> None:
    gate = str(tmp_path / "never")
    schedule = hourly(tasks.note_until, ledger, gate, timeout=0.5, max_attempts=2, backoff=0.01)
    make_due(schedule)
    with RunningWorker():
        wait_until(lambda: Execution.objects.filter(status="failed").exists())
    run = Execution.objects.get()
    assert (run.attempts, run.error_class) == (2, "TimeoutError")
    assert lines(ledger) == ["start", "start"]

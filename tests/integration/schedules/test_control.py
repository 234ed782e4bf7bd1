"""Enable, disable, delete, skip, run now: one schedule, or any set of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django_agenda.clock import now
from django_agenda.models import Execution, Schedule
from tests import tasks
from tests.integration.conftest import Work

from .conftest import make_due

HOUR = timedelta(hours=1)
Fire = Callable[[Schedule], list[Execution]]


def hourly(**options: object) -> Schedule:
    return Schedule.objects.interval(tasks.nothing, HOUR, **options)  # type: ignore[arg-type]


def test_disabled_it_has_no_next_tick_and_enabled_it_has_one_after_now() -> None:
    schedule = hourly()
    assert schedule.disable()
    assert (schedule.enabled, schedule.next_at) == (False, None)
    assert not schedule.disable()

    Schedule.objects.update(anchor=now() - 100 * HOUR - HOUR / 2)
    assert schedule.enable()
    assert schedule.next_at is not None
    assert now() < schedule.next_at <= now() + HOUR
    assert (schedule.next_at - schedule.anchor) % HOUR == timedelta(0)
    assert not schedule.enable()


def test_disabling_cancels_the_tick_that_waits_and_no_other_run(fire: Fire) -> None:
    schedule = hourly(jitter=HOUR / 2, overlap="allow")
    make_due(schedule)
    [tick] = fire(schedule)
    retried = Execution.objects.create(
        task_name=tasks.nothing.name,
        schedule=schedule,
        tick_at=now(),
        attempts=1,
        due_at=now() + HOUR,
    )
    schedule.disable()
    tick.refresh_from_db()
    retried.refresh_from_db()
    assert (tick.status, retried.status) == ("cancelled", "scheduled")
    retried.cancel()


def test_sets_are_found_by_labels_and_changed_at_once() -> None:
    nightly = [
        Schedule.objects.cron(tasks.nothing, "@daily", args=[n], labels=["nightly"])
        for n in range(3)
    ]
    other = hourly(labels=["Nightly"])
    assert Schedule.objects.labelled("nightly").disable() == 3
    other.refresh_from_db()
    assert other.enabled
    assert Schedule.objects.filter(next_at=None).count() == 3
    assert Schedule.objects.labelled("nightly").enable() == 3
    assert Schedule.objects.filter(pk__in=[one.pk for one in nightly], enabled=True).count() == 3


def test_skipping_leaves_out_one_tick() -> None:
    schedule = hourly()
    first, second, *_ = schedule.next_times(3)
    assert schedule.skip_next()
    assert schedule.next_at == second
    assert schedule.next_times(1) == [second]
    assert (schedule.skips, schedule.runs) == (1, 0)
    assert first < second


def test_skipping_the_only_tick_ends_it() -> None:
    schedule = Schedule.objects.once(tasks.nothing, now() + HOUR)
    assert schedule.skip_next()
    assert (schedule.enabled, schedule.next_at) == (False, None)
    assert not schedule.skip_next()


def test_run_now_runs_besides_the_ticks_also_when_disabled(work: Work) -> None:
    schedule = Schedule.objects.interval(
        tasks.add, HOUR, args=[1, 2], enabled=False, priority=3, labels=["sums"]
    )
    execution = schedule.run_now()
    assert (execution.schedule, execution.tick_at) == (schedule, None)
    assert (execution.priority, execution.labels) == (3, ["sums"])
    assert work() == 0
    execution.refresh_from_db()
    assert execution.return_value == 3
    schedule.refresh_from_db()
    assert (schedule.runs, schedule.next_at) == (0, None)


def test_deleted_its_waiting_tick_is_cancelled_and_the_rows_of_its_runs_stay(fire: Fire) -> None:
    schedule = hourly(jitter=HOUR / 2)
    make_due(schedule)
    [run] = fire(schedule)
    schedule.delete()
    run.refresh_from_db()
    assert (run.status, run.schedule) == ("cancelled", None)
    hourly()
    assert Schedule.objects.all().delete()[0] == 1


def test_a_schedule_for_once_that_was_disabled_past_its_moment_runs_when_enabled(
    fire: Fire,
) -> None:
    schedule = Schedule.objects.once(tasks.nothing, now() - HOUR, enabled=False)
    assert fire(schedule) == []
    assert schedule.enable()
    assert len(fire(schedule)) == 1

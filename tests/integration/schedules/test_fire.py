"""What a tick does: one execution, the next tick, and what is said of overlaps and misfires."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.models import F

from django_agenda.clock import now
from django_agenda.models import Execution, Schedule
from django_agenda.scheduling.tick import fire_due, next_tick
from django_agenda.scheduling.turn import let_all_go
from tests import tasks
from tests.integration.conftest import Work
from tests.spoiling import spoil

from .conftest import make_due

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
Fire = Callable[[Schedule], list[Execution]]


def hourly(**options: object) -> Schedule:
    """Return one that ticks at half past, as seen from now."""
    options = {"starts_at": now() - 100 * HOUR - HOUR / 2, **options}
    return Schedule.objects.interval(tasks.nothing, HOUR, **options)  # type: ignore[arg-type]


def alive(schedule: Schedule) -> Execution:
    """Give it a run that has not ended."""
    return Execution.objects.create(
        task_name=tasks.nothing.name, schedule=schedule, due_at=now() + HOUR
    )


def test_a_tick_becomes_one_execution_and_the_next_tick_is_on_the_grid(fire: Fire) -> None:
    schedule = Schedule.objects.interval(
        tasks.mail, HOUR, args=(3,), labels=["nightly"], queue_name="other", priority=-4
    )
    anchor = schedule.anchor
    tick = make_due(schedule)

    [run] = fire(schedule)
    assert (run.task_name, run.args, run.labels) == ("tests.tasks.mail", [3], ["nightly"])
    assert (run.due_at, run.tick_at, run.status) == (tick, tick, "scheduled")
    assert (run.queue_name, run.priority, run.max_attempts) == ("other", -4, 4)
    assert run.expires_at == tick + HOUR
    assert schedule.next_at is not None
    assert (schedule.next_at - anchor) % HOUR == timedelta(0)
    assert (schedule.runs, schedule.last_at, schedule.error) == (1, tick, "")


def test_nothing_is_fired_before_its_moment(fire: Fire) -> None:
    schedule = hourly()
    assert fire(schedule) == []
    assert next_tick("default") == schedule.next_at


def test_patience_leaves_a_tick_to_the_leader() -> None:
    make_due(hourly(), timedelta(milliseconds=500))
    assert fire_due("default", timedelta(seconds=-60)) == 0
    assert fire_due("default", timedelta(milliseconds=-100)) == 1


def test_a_tick_is_written_a_little_ahead_and_runs_at_its_moment() -> None:
    schedule = hourly()
    tick = make_due(schedule, -MINUTE)
    assert fire_due("default", 2 * MINUTE) == 1
    run = schedule.executions.get()
    assert (run.tick_at, run.due_at) == (tick, tick)
    schedule.refresh_from_db()
    assert schedule.next_at == schedule.tick_after(tick)
    schedule.disable()
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_a_tick_that_a_run_may_yet_stop_is_left_until_its_moment() -> None:
    schedule = hourly()
    alive(schedule)
    make_due(schedule, -MINUTE)
    assert fire_due("default", 2 * MINUTE) == 0
    schedule.refresh_from_db()
    assert schedule.skips == 0


def test_ticks_that_follow_each_other_fast_are_not_taken_for_missed_ones() -> None:
    schedule = Schedule.objects.interval(tasks.nothing, MINUTE, overlap="allow")
    for count in (1, 2, 3):
        assert fire_due("default", HOUR) == 1
        assert schedule.executions.count() == count


def test_however_many_fire_at_once_a_tick_is_one_execution() -> None:
    schedules = [Schedule.objects.interval(tasks.nothing, HOUR, args=[n]) for n in range(20)]
    for schedule in schedules:
        make_due(schedule)
    gate = threading.Barrier(4)

    def fire_all() -> None:
        gate.wait(10)
        fire_due("default")
        connections.close_all()

    threads = [threading.Thread(target=fire_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    while fire_due("default"):
        pass
    assert Execution.objects.count() == 20
    assert set(Schedule.objects.values_list("runs", flat=True)) == {1}


def test_a_schedule_that_was_disabled_meanwhile_is_not_fired(
    fire: Fire, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = hourly()
    make_due(schedule)
    from django_agenda.scheduling import tick

    def disable_first(using: str, firings: object) -> int:
        Schedule.objects.all().disable()
        return real(using, firings)  # type: ignore[arg-type]

    real = tick._fire_all
    monkeypatch.setattr(tick, "_fire_all", disable_first)
    assert fire(schedule) == []
    assert schedule.next_at is None


def test_a_schedule_that_was_changed_meanwhile_is_read_again(
    fire: Fire, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = hourly()
    make_due(schedule)
    from django_agenda.scheduling import tick

    def change_first(using: str, firings: object) -> int:
        Schedule.objects.update(args=[9], version=F("version") + 1)
        return real(using, firings)  # type: ignore[arg-type]

    real = tick._fire_all
    with monkeypatch.context() as patch:
        patch.setattr(tick, "_fire_all", change_first)
        assert fire(schedule) == []
    assert [run.args for run in fire(schedule)] == [[9]]


def test_what_runs_once_disables_itself(fire: Fire) -> None:
    schedule = Schedule.objects.once(tasks.nothing, now() - MINUTE)
    [run] = fire(schedule)
    assert run.tick_at == schedule.anchor
    assert (schedule.enabled, schedule.next_at) == (False, None)
    assert schedule.ended_at is not None
    assert schedule.next_times() == []
    assert not schedule.enable()


def test_after_as_many_runs_as_it_may_have_it_has_ended(fire: Fire) -> None:
    schedule = hourly(max_runs=2, overlap="allow")
    for number in (1, 2):
        make_due(schedule)
        assert len(fire(schedule)) == number
    assert (schedule.enabled, schedule.next_at, schedule.runs) == (False, None, 2)


def test_after_its_end_it_ticks_no_more(fire: Fire) -> None:
    schedule = hourly(ends_at=now() + 90 * MINUTE)
    Schedule.objects.update(ends_at=now() + MINUTE)
    schedule.refresh_from_db()
    make_due(schedule)
    assert len(fire(schedule)) == 1
    assert (schedule.enabled, schedule.next_at) == (False, None)


def test_a_tick_that_was_fired_is_not_fired_again_when_a_clock_was_set_back(fire: Fire) -> None:
    schedule = hourly(overlap="allow")
    tick = make_due(schedule)
    fire(schedule)
    Schedule.objects.update(next_at=tick)
    assert len(fire(schedule)) == 1
    schedule.executions.update(tick_at=tick - HOUR)
    Schedule.objects.update(next_at=tick)
    assert len(fire(schedule)) == 1
    schedule.executions.update(tick_at=tick)
    Schedule.objects.update(next_at=tick, last_at=None)
    assert len(fire(schedule)) == 1
    assert (schedule.error, schedule.enabled) == ("", True)
    assert schedule.next_at is not None
    assert schedule.next_at > tick


def test_jitter_delays_a_run_and_leaves_the_tick(fire: Fire) -> None:
    schedule = hourly(jitter=MINUTE)
    tick = make_due(schedule)
    [run] = fire(schedule)
    assert run.tick_at == tick
    assert tick < run.due_at <= tick + MINUTE


def test_terms_reach_the_run(fire: Fire) -> None:
    schedule = hourly(timeout=2, backoff=3, max_attempts=5, over=60)
    make_due(schedule)
    [run] = fire(schedule)
    seconds = {name: value.total_seconds() for name, value in run.terms.items()}
    assert seconds == {"timeout": 2, "backoff": 3, "over": 60}
    assert run.max_attempts == 5


@pytest.mark.parametrize(
    ("overlap", "held", "skips"),
    [("allow", [""], 0), ("skip", [], 1), ("queue", ["previous run"], 0)],
)
def test_while_a_run_is_alive_a_tick_does_what_overlap_says(
    overlap: str, held: list[str], skips: int, fire: Fire
) -> None:
    schedule = hourly(overlap=overlap)
    before = alive(schedule)
    make_due(schedule)
    found = [run.held_by for run in fire(schedule) if run != before]
    assert (found, schedule.skips) == (held, skips)
    assert schedule.next_at is not None


def test_queued_ticks_run_one_after_the_other_in_their_order(fire: Fire, work: Work) -> None:
    schedule = hourly(overlap="queue")
    Execution.objects.filter(pk=alive(schedule).pk).update(due_at=now())
    for back in (3, 2, 1):
        make_due(schedule, back * MINUTE)
        fire(schedule)
    assert work() == 0
    ended = Execution.objects.order_by("finished_at").values_list("tick_at", "status")
    ticks = [tick for tick, status in ended if status == "succeeded"]
    assert ticks == [None, *sorted(tick for tick in ticks if tick is not None)]
    assert len(ticks) == 4


def test_more_ticks_than_catch_up_do_not_queue(fire: Fire) -> None:
    schedule = hourly(overlap="queue", catch_up=2)
    alive(schedule)
    for back in (4, 3, 2):
        make_due(schedule, back * MINUTE)
        fire(schedule)
    assert schedule.executions.count() == 3
    assert schedule.skips == 1


def test_a_queued_tick_is_let_go_when_the_run_before_it_was_cancelled(fire: Fire) -> None:
    schedule = hourly(overlap="queue")
    before = alive(schedule)
    make_due(schedule)
    fire(schedule)
    assert let_all_go("default") == 0
    before.cancel()
    assert let_all_go("default") == 1
    assert let_all_go("default") == 0
    assert Execution.objects.get(status="scheduled").held_by == ""


def missed(schedule: Schedule, hours: int) -> datetime:
    """Let so many ticks have been missed, the last of them half an hour ago."""
    anchor = now() - HOUR / 2 - (hours - 1) * HOUR
    Schedule.objects.update(anchor=anchor)
    schedule.refresh_from_db()
    Schedule.objects.update(next_at=anchor)
    return anchor


@pytest.mark.parametrize(("misfire", "count"), [("skip", 0), ("once", 1), ("all", 4)])
def test_missed_ticks_do_what_misfire_says_and_the_next_one_is_on_the_grid(
    misfire: str, count: int, fire: Fire
) -> None:
    schedule = hourly(misfire=misfire, overlap="allow")
    anchor = missed(schedule, 4)
    found = fire(schedule)
    expected = [anchor + number * HOUR for number in range(4)][4 - count :]
    assert [run.tick_at for run in found] == expected
    assert schedule.next_at == anchor + 4 * HOUR
    # They run now: their own moments are history, and MISFIRE is not to count them twice.
    assert all(run.due_at > now() - MINUTE for run in found)


def test_of_all_missed_ticks_only_the_last_few_are_made_up_for(fire: Fire) -> None:
    schedule = hourly(misfire="all", catch_up=3, overlap="allow")
    anchor = missed(schedule, 9000)
    assert [run.tick_at for run in fire(schedule)] == [
        anchor + number * HOUR for number in (8997, 8998, 8999)
    ]


def test_ticks_that_are_made_up_for_run_one_after_the_other(fire: Fire) -> None:
    schedule = hourly(misfire="all")
    missed(schedule, 3)
    assert [run.held_by for run in fire(schedule)] == ["", "previous run", "previous run"]


def test_a_tick_that_is_a_little_late_was_not_missed(fire: Fire) -> None:
    schedule = hourly(misfire="skip")
    make_due(schedule, MINUTE)
    assert len(fire(schedule)) == 1


def test_a_rule_that_cannot_be_read_rests_and_stops_nobody(fire: Fire) -> None:
    good, bad = hourly(), Schedule.objects.cron(tasks.nothing, "@daily")
    make_due(good)
    make_due(bad, 2 * MINUTE)
    Schedule.objects.filter(pk=bad.pk).update(expression="nonsense")

    assert fire(bad) == []
    assert (bad.enabled, bad.next_at) == (True, None)
    assert bad.error == "ValueError: 'nonsense' is no cron expression: Wrong number of fields"
    assert len(fire(good)) == 1
    Schedule.objects.filter(pk=bad.pk).update(expression="@daily")
    assert bad.enable()
    assert bad.error == ""
    assert bad.next_at is not None


def test_a_task_that_has_vanished_is_shown_and_its_run_waits_for_a_worker_that_knows_it(
    fire: Fire, work: Work
) -> None:
    schedule = hourly()
    Schedule.objects.update(task_name="tests.tasks.vanished")
    schedule.refresh_from_db()
    make_due(schedule)

    [run] = fire(schedule)
    assert schedule.error == "Task 'tests.tasks.vanished' is not registered"
    assert work() == 0
    run.refresh_from_db()
    assert (run.status, run.held_by) == ("scheduled", "unknown task")
    make_due(schedule)
    assert len(fire(schedule)) == 1  # the tick is skipped: the run before it is alive
    run.cancel()


def test_a_run_that_the_broker_does_not_take_is_found_later(
    fire: Fire, work: Work, redis_server: object
) -> None:
    schedule = hourly()
    make_due(schedule)
    redis_server.kill()  # type: ignore[attr-defined]
    [run] = fire(schedule)
    redis_server.start()  # type: ignore[attr-defined]
    assert run.status == "scheduled"
    assert work() == 0
    run.refresh_from_db()
    assert run.status == "succeeded"


def test_the_next_tick_and_what_is_due_are_read_from_an_index() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("other planners read few rows from the table itself")
    ticking = Schedule.objects.filter(next_at__isnull=False).order_by("next_at")[:1]
    due = Schedule.objects.filter(next_at__lte=now()).order_by("next_at")[:1000]
    alive = Execution.objects.filter(schedule__in=[1, 2], finished_at=None, status="running")
    assert "USING INDEX agenda_schedule_next" in ticking.explain()
    assert "USING INDEX agenda_schedule_next" in due.explain()
    assert "USING INDEX agenda_exec_schedule" in alive.explain()


@pytest.mark.parametrize("column", Schedule.PAYLOAD)
def test_one_that_cannot_be_decoded_stops_no_other(column: str) -> None:
    """As a newer version has written it, which was then taken back."""
    newer, plain = hourly(), Schedule.objects.interval(tasks.mail, HOUR, args=(3,))
    for schedule in (newer, plain):
        make_due(schedule)
    spoil(newer, column)

    assert fire_due("default") == 2

    assert plain.executions.get().args == [3]
    assert not newer.executions.exists()
    spoiled = Schedule.objects.defer(*Schedule.PAYLOAD).get(pk=newer.pk)
    assert spoiled.error == "ValueError: The JSON text holds the unknown tag '$newer'"
    assert spoiled.next_at is None
    assert fire_due("default") == 0


def test_one_that_cannot_be_decoded_can_be_rested_and_looked_at() -> None:
    schedule = hourly(name="newer")
    spoil(schedule, *Schedule.PAYLOAD)
    itself = Schedule.objects.filter(pk=schedule.pk)

    assert (itself.skip_next(), itself.disable(), itself.enable()) == (1, 1, 1)

    output = StringIO()
    call_command("agenda_schedules", stdout=output)
    assert "newer" in output.getvalue()

"""Workers fire ticks: at their moment, once, and whoever leads."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django_agenda.clock import now
from django_agenda.models import Execution, Fleet, Schedule
from django_agenda.models.identity import uuid7
from tests import recurring_tasks as tasks
from tests.conftest import RedisServer
from tests.integration.conftest import Configure, RunningWorker, Work
from tests.waiting import wait_until

from .conftest import make_due

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
# Nothing but a token or the moment itself wakes a worker within a test.
SLEEPY = {"MAX_BLOCK": 3, "CARETAKER_INTERVAL": 0.05}


def leads() -> bool:
    return Fleet.objects.filter(leader__isnull=False).exists()


def succeeded(count: int) -> bool:
    return Execution.objects.filter(status="succeeded").count() >= count


def test_a_tick_that_came_while_nobody_worked_is_fired_by_a_burst(work: Work, ledger: str) -> None:
    schedule = Schedule.objects.interval(tasks.note, HOUR, args=[ledger])
    make_due(schedule)
    assert work() == 0
    assert [run.status for run in schedule.executions.all()] == ["succeeded"]


def test_ticks_come_at_their_moments(ledger: str) -> None:
    step = timedelta(milliseconds=200)
    schedule = Schedule.objects.interval(
        tasks.note, step, args=[ledger], max_runs=5, overlap="allow"
    )
    anchor = schedule.anchor
    with RunningWorker():
        wait_until(lambda: succeeded(5))
    ticks = [run.tick_at for run in schedule.executions.order_by("tick_at")]
    assert all(tick is not None and (tick - anchor) % step == timedelta(0) for tick in ticks)
    assert len(set(ticks)) == 5
    schedule.refresh_from_db()
    assert not schedule.enabled


def test_a_new_or_enabled_schedule_wakes_the_worker_at_once(
    configure: Configure, ledger: str
) -> None:
    configure(**SLEEPY)
    with RunningWorker():
        wait_until(leads)
        first = Schedule.objects.once(tasks.note, now() + SECOND / 5, args=[ledger])
        wait_until(lambda: succeeded(1), 8)
        second = Schedule.objects.once(tasks.note, now(), args=[ledger, "2"], enabled=False)
        second.enable()
        wait_until(lambda: succeeded(2), 8)
    found = {run.schedule_id: run.lag_ms or 0 for run in Execution.objects.all()}
    assert set(found) == {first.pk, second.pk}
    assert max(found.values()) < 2500


def test_without_redis_ticks_go_on(redis_server: RedisServer, ledger: str) -> None:
    with RunningWorker():
        wait_until(leads)
        redis_server.kill()
        Schedule.objects.once(tasks.note, now(), args=[ledger])
        wait_until(lambda: succeeded(1))
        redis_server.start()


def test_who_does_not_lead_fires_what_the_leader_leaves(ledger: str) -> None:
    stranger = uuid7()
    with RunningWorker():
        Fleet.objects.update_or_create(
            pk=Fleet.THE_ONE, defaults={"leader": stranger, "leader_until": now() + HOUR / 3600}
        )
        schedule = Schedule.objects.once(tasks.note, now(), args=[ledger])
        wait_until(lambda: succeeded(1))
    assert schedule.executions.count() == 1


def test_a_tick_waits_for_the_run_before_it(tmp_path: Path, ledger: str) -> None:
    gate = tmp_path / "gate"
    schedule = Schedule.objects.interval(
        tasks.note_until, SECOND / 10, args=[ledger, str(gate)], overlap="queue", max_runs=3
    )
    with RunningWorker():
        wait_until(lambda: schedule.executions.filter(held_by="previous run").count() == 2)
        gate.touch()
        wait_until(lambda: succeeded(3))
    words = Path(ledger).read_text().split()
    assert words == ["start", "end"] * 3


def test_a_broken_schedule_does_not_trouble_a_worker(ledger: str) -> None:
    bad = Schedule.objects.cron(tasks.note, "@daily", args=[ledger])
    make_due(bad)
    Schedule.objects.filter(pk=bad.pk).update(expression="nonsense")
    with RunningWorker():
        wait_until(lambda: Schedule.objects.get(pk=bad.pk).error)
        Schedule.objects.once(tasks.note, now(), args=[ledger])
        wait_until(lambda: succeeded(1))

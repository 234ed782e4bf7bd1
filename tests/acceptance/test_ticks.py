"""Ticks every second while workers are killed: each of them is one execution, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from django_agenda.clock import monotonic, now
from django_agenda.models import Execution, Schedule
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_sound
from tests.waiting import wait_until

from .conftest import StartWorker

SECOND = timedelta(seconds=1)
SCHEDULES, WORKERS, KILLS, BETWEEN = 4, 3, 8, 3.0

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    yield
    assert_sound()


def test_every_tick_is_one_execution_while_workers_are_killed(start_worker: StartWorker) -> None:
    schedules = [
        Schedule.objects.interval(
            tasks.plain, SECOND, args=[n], overlap="allow", misfire="all", catch_up=1000
        )
        for n in range(SCHEDULES)
    ]
    workers = [start_worker("--concurrency", "4") for _ in range(WORKERS)]
    for worker in workers:
        worker.wait_until_active()

    for number in range(KILLS):
        _wait_for_ticks(schedules, BETWEEN)
        workers.pop(0).kill()
        if number % 3 == 2:
            workers.pop(0).kill()
            workers.append(start_worker("--concurrency", "4"))
        workers.append(start_worker("--concurrency", "4"))

    since, live = now(), Execution.objects.live()
    wait_until(lambda: not live.filter(due_at__lte=since).exists(), 40, what="all runs until now")
    Schedule.objects.all().disable()
    wait_until(lambda: not live.exists(), 30, what="the end of all runs")
    for schedule in schedules:
        _check(schedule, since)


def _wait_for_ticks(schedules: list[Schedule], seconds: float) -> None:
    """Let time pass, and then a tick more of every schedule."""
    since = monotonic()
    wait_until(lambda: monotonic() - since >= seconds, seconds + 5)
    before = [schedule.executions.count() for schedule in schedules]
    wait_until(
        lambda: all(
            schedule.executions.count() > count
            for schedule, count in zip(schedules, before, strict=True)
        ),
        30,
        what="a tick of every schedule",
    )


def _check(schedule: Schedule, since: datetime) -> None:
    """Hold that its ticks are the points of its grid, from the first one on, once each.

    What came after `since` may have been waiting still when it was disabled, which cancels it.
    """
    runs = list(schedule.executions.order_by("tick_at"))
    ticks = [run.tick_at for run in runs if run.tick_at is not None]
    told = [(run.tick_at, run.status, run.attempts) for run in runs]
    assert len(ticks) == len(runs) > KILLS * BETWEEN
    assert ticks[0] == schedule.anchor + SECOND
    assert {later - earlier for earlier, later in pairwise(ticks)} == {SECOND}, told
    assert {run.status for run in runs if run.due_at <= since} == {"succeeded"}
    assert {run.status for run in runs} <= {"succeeded", "cancelled"}

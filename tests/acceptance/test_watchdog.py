"""A worker whose own parts hang ends itself, after it has stored what it can."""

from __future__ import annotations

from pathlib import Path

import pytest

from django_agenda import schedule
from django_agenda.models import Execution
from django_agenda.worker.watchdog import STUCK
from tests import hanging_tasks, tasks
from tests.conftest import RedisServer
from tests.sound import assert_sound
from tests.waiting import wait_until

from .conftest import StartWorker

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("transactional_db")]


def test_a_claimer_that_hangs_ends_its_process_and_another_goes_on(
    start_worker: StartWorker,
) -> None:
    row = schedule(hanging_tasks.hang_the_claimer)()
    worker = start_worker(WATCHDOG=0.5, MAX_BLOCK=0.1)

    worker.wait_for_output(f"code={STUCK}")

    assert "agenda: claimer hangs" in worker.output
    assert "hanging_tasks.py" in worker.output
    row.refresh_from_db()
    assert row.status == "succeeded"
    assert schedule(tasks.add)(1, 2).wait(20) == 3
    assert_sound()


def test_what_a_hanging_recorder_has_not_stored_is_stored_by_the_last_flush(
    start_worker: StartWorker,
) -> None:
    row = schedule(hanging_tasks.hang_the_recorder)()
    worker = start_worker(WATCHDOG=0.5)

    worker.wait_for_output(f"code={STUCK}")

    row.refresh_from_db()
    assert (row.status, row.crashes) == ("succeeded", 0)


def test_a_redis_that_is_down_is_no_hanging(
    start_worker: StartWorker, redis_server: RedisServer, tmp_path: Path
) -> None:
    worker = start_worker(WATCHDOG=0.5)
    worker.wait_until_active()
    redis_server.kill()
    rows = [schedule(tasks.add, after=number * 0.3)(1, number) for number in range(8)]

    wait_until(lambda: Execution.objects.filter(status="succeeded").count() == len(rows), 20)

    assert worker.is_running

"""What somebody asks of one process of a worker, and what becomes of the others."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from django_agenda import schedule
from django_agenda.models import Worker
from tests import process_tasks as tasks
from tests.waiting import wait_until

from .test_processes import Start, ledger, start

__all__ = ["ledger", "start"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("transactional_db", "redis_server")]


def test_whoever_stops_one_process_stops_its_supervisor_and_all_others(
    start: Start, ledger: str, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    program = start("--processes", "2", "--concurrency", "1")
    program.wait_until_active(2)
    row = schedule(tasks.wait_for_file)(ledger, "ran", str(end))
    wait_until(lambda: tasks.lines(ledger), 20)
    # The one that has nothing to do hears of it, and the one that runs drains.
    row.refresh_from_db()
    idle = Worker.objects.exclude(pk=str(row.claimed_by)).get()

    assert idle.stop()
    wait_until(lambda: not Worker.objects.filter(status="active").exists(), 20)
    end.touch()

    assert program.end() == 0
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("succeeded", 1)
    assert set(Worker.objects.values_list("status", flat=True)) == {"stopped"}
    assert program.members() == set()


def test_the_process_that_follows_a_quiet_one_is_quiet_as_well(start: Start, ledger: str) -> None:
    program = start("--concurrency", "1")
    (pid,) = program.wait_until_active()
    Worker.objects.get().quiet()
    wait_until(lambda: Worker.objects.filter(status="quiet").exists(), 20)
    row = schedule(tasks.note)(ledger, "ran")

    os.kill(pid, signal.SIGKILL)
    other = Worker.objects.filter(status="quiet").exclude(pid=pid)
    wait_until(other.exists, 20)

    assert tasks.lines(ledger) == []
    assert other.get().resume()
    row.wait(20)
    program.send(signal.SIGTERM)
    assert program.end() == 0

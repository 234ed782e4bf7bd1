"""A worker whose wall clock is wrong by a day runs everything at its moment all the same."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from django_agenda import Agenda, Call, schedule
from django_agenda.clock import now
from django_agenda.models import Execution
from tests import tasks
from tests.sound import assert_sound
from tests.waiting import wait_until

from .conftest import StartWorker, WorkerProcess

pytestmark = [pytest.mark.chaos, pytest.mark.usefixtures("transactional_db")]

DAY = 86400
# A file's time has the grain of the kernel's tick; the other is for a busy machine.
EARLY, LATE = 0.02, 2.0


@pytest.fixture(params=[-DAY, DAY], ids=["a day behind", "a day ahead"])
def worker(request: pytest.FixtureRequest, start_worker: StartWorker) -> WorkerProcess:
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.shifted_settings",
        "AGENDA_TEST_CLOCK_SHIFT": str(request.param),
    }
    started = start_worker(environment=environment)
    started.wait_until_active()
    return started


def seconds_late(path: Path, due_at: datetime) -> float:
    return path.stat().st_mtime - due_at.timestamp()


def end(worker: WorkerProcess) -> None:
    worker.send(signal.SIGTERM)
    assert worker.end() == 0
    assert_sound()


def test_what_was_scheduled_runs_at_its_moment(worker: WorkerProcess, tmp_path: Path) -> None:
    paths = [tmp_path / str(n) for n in range(6)]
    calls = [Call(tasks.note, (str(path),)) for path in paths]
    batch = Agenda(calls).scatter(start=now(), over=timedelta(seconds=1.5))
    later = schedule(tasks.nothing, after=3600)()

    wait_until(lambda: batch.executions.filter(status="succeeded").count() == 6, 20)
    end(worker)

    for row, path in zip(batch.executions.order_by("position"), paths, strict=True):
        assert -EARLY < seconds_late(path, row.due_at) < LATE
    later.refresh_from_db()
    assert later.status == "scheduled"


def test_a_retry_waits_as_long_as_its_backoff_says(worker: WorkerProcess, tmp_path: Path) -> None:
    row = schedule(tasks.succeed_at)(str(tmp_path / "tries"), 2)

    assert row.wait(10) == 2
    end(worker)


def test_a_retry_is_no_earlier_than_its_backoff_says(worker: WorkerProcess, tmp_path: Path) -> None:
    path = tmp_path / "tries"
    row = schedule(tasks.fail_and_wait)(str(path))
    wait_until(lambda: Execution.objects.filter(pk=row.pk, attempts=1, status="scheduled"), 10)
    after = schedule(tasks.add, after=1)(1, 2)

    assert after.wait(10) == 3
    end(worker)

    assert tasks.lines(path) == ["tried"]


def test_a_callback_is_called_when_its_batch_ends(worker: WorkerProcess) -> None:
    batch = Agenda([Call(tasks.nothing)]).scatter(
        over=timedelta(milliseconds=1), on_complete=tasks.note_batch
    )

    wait_until(lambda: batch.callbacks.filter(status="succeeded").exists(), 10)
    end(worker)


def test_nothing_is_missed_before_it_expires(worker: WorkerProcess) -> None:
    row = schedule(tasks.mail, after=1)(3)  # it expires after an hour

    assert row.wait(10) == 3
    end(worker)

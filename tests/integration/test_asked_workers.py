"""Quiet, resume, stop: what somebody asks of a worker by its row."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_agenda import schedule
from django_agenda.conf import get_settings
from django_agenda.models import Execution, Worker
from django_agenda.worker import claimer
from django_agenda.worker.heart import Heart, new_worker
from django_agenda.worker.trouble import Trouble
from tests import tasks
from tests.factories import WorkerFactory
from tests.waiting import wait_until

from .conftest import RunningWorker

QUIET, STOP = Worker.Request.QUIET, Worker.Request.STOP


def heart_of(name: str = "one") -> Heart:
    row = new_worker(name, queues="*", concurrency=1, version="")
    heart = Heart("default", row, get_settings(), Trouble())
    heart.register()
    return heart


def only_worker(status: str) -> bool:
    return Worker.objects.filter(status=status).exists()


def test_a_heartbeat_tells_memory_and_load() -> None:
    heart = heart_of()
    heart.counts = lambda: {"running": 1, "succeeded": 4, "failed": 2}

    heart.tick()

    row = Worker.objects.get(pk=heart.worker.pk)
    assert row.memory
    assert row.memory > 1024**2
    assert [step[1:] for step in row.load] == [[1.0, 2]]
    row.delete()


# --- the verbs ---


def test_a_worker_that_lives_can_be_asked_once() -> None:
    worker = WorkerFactory.create()

    assert worker.quiet()
    assert (worker.requested, worker.requested_at is None) == (QUIET, False)
    assert not worker.quiet()
    assert worker.resume()
    assert worker.requested == ""
    assert not worker.resume()
    assert worker.stop()
    assert not worker.stop()
    worker.delete()


def test_who_was_asked_to_stop_is_not_called_back() -> None:
    worker = WorkerFactory.create()
    worker.stop()

    assert not worker.resume()
    assert not worker.quiet()
    assert worker.requested == STOP
    worker.delete()


@pytest.mark.parametrize("status", ["draining", "stopped", "lost"])
def test_who_ends_anyway_is_asked_nothing(status: str) -> None:
    WorkerFactory.create(status=status)

    workers = Worker.objects.all()

    assert (workers.quiet(), workers.resume(), workers.stop()) == (0, 0, 0)
    Worker.objects.all().delete()


def test_a_query_set_asks_many() -> None:
    WorkerFactory.create_batch(3)

    assert Worker.objects.filter(name__startswith="mail").quiet() == 3
    assert async_to_sync(Worker.objects.all().aresume)() == 3
    assert async_to_sync(Worker.objects.all().aquiet)() == 3
    assert async_to_sync(Worker.objects.all().astop)() == 3
    Worker.objects.all().delete()


def test_one_worker_can_be_asked_in_a_coroutine() -> None:
    worker = WorkerFactory.create()

    async def ask() -> list[bool]:
        return [await worker.aquiet(), await worker.aresume(), await worker.astop()]

    assert async_to_sync(ask)() == [True, True, True]
    worker.delete()


# --- the heart ---


def test_a_heartbeat_costs_three_statements_as_long_as_nobody_asks() -> None:
    heart = heart_of()

    with CaptureQueriesContext(connection) as captured:
        heart.tick()

    assert len(captured) == 3
    heart.stop()


def test_a_wish_is_heeded_once_and_shown() -> None:
    heart = heart_of()
    heard: list[str] = []
    heart.heed = heard.append

    heart.worker.quiet()
    for _ in range(3):
        heart.tick()

    assert heard == [QUIET]
    assert Worker.objects.get().status == "quiet"
    heart.worker.resume()
    heart.tick()
    assert heard == [QUIET, ""]
    assert Worker.objects.get().status == "active"
    heart.worker.quiet()
    heart.tick()
    assert heart.is_quiet
    heart.stop()


def test_a_quiet_worker_that_was_declared_lost_begins_anew_as_a_quiet_one() -> None:
    heart = heart_of()
    Worker.objects.get().quiet()
    heart.tick()
    Worker.objects.update(status="lost")

    heart.tick()

    again = Worker.objects.exclude(status="lost").get()
    assert (again.status, again.requested) == ("quiet", QUIET)
    assert heart.is_quiet
    heart.stop()


def test_a_row_that_is_gone_is_no_wish() -> None:
    heart = heart_of()
    heart.worker.quiet()
    heart.tick()
    Worker.objects.all().delete()

    heart.tick()

    assert heart.is_quiet
    heart.stop()


# --- the process ---


def test_a_quiet_worker_finishes_what_runs_and_claims_nothing_new(tmp_path: Path) -> None:
    started, end = tmp_path / "started", tmp_path / "end"
    running = schedule(tasks.wait_for_file)(str(started), str(end))
    with RunningWorker(concurrency=2):
        wait_until(started.exists)
        worker = Worker.objects.get()
        worker.quiet()
        wait_until(lambda: only_worker("quiet"))

        waiting = schedule(tasks.nothing)()
        end.touch()
        assert running.wait(10) == "ended"
        # Heartbeats go on, and each writes how much it runs.
        wait_until(lambda: Worker.objects.get(status="quiet").running == 0)
        beat_at = Worker.objects.get().beat_at
        wait_until(lambda: Worker.objects.get().beat_at > beat_at)
        waiting.refresh_from_db()
        assert (waiting.status, waiting.attempts) == ("scheduled", 0)

        worker.resume()
        waiting.wait(10)
        assert only_worker("active")


def test_a_quiet_worker_tries_to_claim_neither_what_is_due_nor_what_was_put_aside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim, claimed = claimer.claim, Mock()

    def watched(*args: Any, **kwargs: Any) -> Any:
        claimed()
        return claim(*args, **kwargs)

    monkeypatch.setattr(claimer, "claim", watched)
    with RunningWorker():
        wait_until(lambda: only_worker("active"))
        Worker.objects.get().quiet()
        wait_until(lambda: only_worker("quiet"))
        schedule(tasks.nothing)()
        row = schedule(tasks.nothing)()
        Execution.objects.filter(pk=row.pk).update(held_by=Execution.UNKNOWN_TASK)
        beat_at = Worker.objects.get().beat_at
        wait_until(lambda: Worker.objects.get().beat_at > beat_at)

        row.refresh_from_db()
        assert row.status == "scheduled"
        assert not claimed.called
        Worker.objects.get().resume()
        row.wait(10)


def test_a_worker_that_is_asked_to_stop_drains_and_ends_with_0(tmp_path: Path) -> None:
    started, end = tmp_path / "started", tmp_path / "end"
    running = schedule(tasks.wait_for_file)(str(started), str(end))
    with RunningWorker() as worker:
        wait_until(started.exists)
        Worker.objects.get().stop()
        wait_until(lambda: only_worker("draining"))
        end.touch()
        worker.thread.join(10)

        assert worker.codes == [0]
    running.refresh_from_db()
    assert running.status == "succeeded"
    assert Worker.objects.get().status == "stopped"


def test_a_quiet_worker_can_be_stopped() -> None:
    with RunningWorker() as worker:
        wait_until(lambda: only_worker("active"))
        Worker.objects.get().quiet()
        wait_until(lambda: only_worker("quiet"))
        Worker.objects.get().stop()
        worker.thread.join(10)

        assert worker.codes == [0]

"""SIGTERM and SIGINT: the first drains, the second gives work back and ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from django_agenda import schedule
from django_agenda.clock import monotonic
from django_agenda.models import Execution, Worker
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_sound
from tests.waiting import wait_until

from .conftest import StartWorker

BODIES = [tasks.wait_for_file, tasks.wait_for_file_async, tasks.wait_for_file_beside_the_loop]


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    yield
    assert_sound()


@pytest.fixture
def gate(tmp_path: Path) -> tuple[str, str]:
    """Return two paths: a body writes the first as it starts, and ends when there is the second."""
    return str(tmp_path / "started"), str(tmp_path / "end")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_ends_at_once_with_0(
    number: signal.Signals, start_worker: StartWorker
) -> None:
    worker = start_worker()
    worker.wait_until_active()

    worker.send(number)

    assert worker.end(5) == 0
    assert Worker.objects.get().status == "stopped"


@pytest.mark.parametrize("task", BODIES[:2])
def test_the_first_signal_lets_what_runs_end_and_starts_nothing_new(
    task: Any, start_worker: StartWorker, gate: tuple[str, str]
) -> None:
    row = schedule(task)(*gate)
    worker = start_worker("--concurrency", "1")
    wait_until(lambda: tasks.lines(gate[0]), 20)

    worker.send(signal.SIGTERM)
    wait_until(lambda: Worker.objects.get().status == "draining")
    late = schedule(tasks.nothing)()
    Path(gate[1]).touch()
    began = monotonic()

    assert worker.end(20) == 0
    assert monotonic() - began < 5, "It did not notice that its last body had ended."
    row.refresh_from_db()
    late.refresh_from_db()
    assert (row.status, row.return_value, late.status) == ("succeeded", "ended", "scheduled")


@pytest.mark.parametrize("task", BODIES)
def test_the_second_signal_gives_back_what_runs_and_ends_with_1(
    task: Any, start_worker: StartWorker, gate: tuple[str, str]
) -> None:
    row = schedule(task)(*gate)
    worker = start_worker()
    wait_until(lambda: tasks.lines(gate[0]), 20)

    worker.send(signal.SIGTERM)
    wait_until(lambda: Worker.objects.get().status == "draining")
    worker.send(signal.SIGTERM)

    assert worker.end(8) == 1
    row.refresh_from_db()
    assert (row.status, row.attempts, row.worker) == ("scheduled", 0, "")
    Path(gate[1]).touch()
    assert start_worker("--burst").end() == 0
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("succeeded", 1)


def test_after_the_shutdown_timeout_work_is_given_back(
    start_worker: StartWorker, gate: tuple[str, str]
) -> None:
    row = schedule(tasks.wait_for_file)(*gate)
    worker = start_worker("--shutdown-timeout", "0.3")
    wait_until(lambda: tasks.lines(gate[0]), 20)

    worker.send(signal.SIGTERM)

    assert worker.end(8) == 1
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("scheduled", 0)


def test_what_was_claimed_and_not_started_is_given_back_at_the_first_signal(
    start_worker: StartWorker, gate: tuple[str, str]
) -> None:
    worker = start_worker("--concurrency", "1", LOOKAHEAD=60)
    worker.wait_until_active()
    soon = schedule(tasks.nothing, after=30)()
    wait_until(lambda: Execution.objects.filter(status="running").exists())

    worker.send(signal.SIGTERM)

    assert worker.end(8) == 0
    soon.refresh_from_db()
    assert (soon.status, soon.attempts, soon.claimed_by) == ("scheduled", 0, None)


@pytest.mark.slow
def test_a_signal_while_the_database_cannot_be_had_ends_it(start_worker: StartWorker) -> None:
    worker = start_worker(
        environment={
            "AGENDA_TEST_DB": "sqlite",
            "AGENDA_TEST_DB_HOST": "",
            "AGENDA_TEST_DB_NAME": "/nonexistent/db",
        }
    )
    worker.wait_for_output("trouble_began")

    worker.send(signal.SIGTERM)

    assert worker.end(8) == 0

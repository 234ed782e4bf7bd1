"""Bodies that heed no time-out, in a worker that nobody replaces."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from django_agenda import schedule
from django_agenda.worker.codes import DRAINED, STUCK
from django_agenda.worker.options import Options
from django_agenda.worker.worker import WorkerProcess
from tests import process_tasks as tasks

pytestmark = pytest.mark.usefixtures("transactional_db", "redis_server")


@pytest.fixture(autouse=True)
def _gate(settings: Any) -> Iterator[None]:
    settings.DJANGO_AGENDA = {**settings.DJANGO_AGENDA, "HARD_TIMEOUT_GRACE": 0.05}
    yield
    tasks.GATE.set()
    for thread in threading.enumerate():
        if thread.name.startswith("agenda-run"):
            thread.join(20)
    tasks.GATE.clear()


def burst(concurrency: int) -> int:
    try:
        return WorkerProcess(Options(burst=True, concurrency=concurrency)).run()
    finally:
        connections.close_all()


def test_a_stuck_slot_is_written_off_and_the_others_go_on() -> None:
    stuck, other = schedule(tasks.wait_at_the_gate)(), schedule(tasks.fail_to_compute)()

    assert burst(2) == DRAINED

    stuck.refresh_from_db()
    other.refresh_from_db()
    assert (stuck.status, stuck.error_class, stuck.failed_stage) == (
        "failed",
        "TimeoutError",
        "timeout",
    )
    assert "GATE.wait(30)" in stuck.traceback
    assert other.error_class == "ZeroDivisionError"


def test_a_worker_with_nothing_but_stuck_slots_ends() -> None:
    stuck, other = schedule(tasks.wait_at_the_gate)(), schedule(tasks.fail_to_compute, after=0.3)()

    assert burst(1) == STUCK

    stuck.refresh_from_db()
    other.refresh_from_db()
    assert (stuck.status, other.status) == ("failed", "scheduled")

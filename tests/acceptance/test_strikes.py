"""Strikes over four worker processes: nothing that matches starts a second after the strike."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest

from django_agenda import Agenda, restore, strike
from django_agenda.clock import now
from django_agenda.models import Execution
from tests import tasks
from tests.sound import assert_all_ended, assert_sound
from tests.waiting import wait_until

from .conftest import StartWorker

COUNT = 6000
WINDOW = timedelta(seconds=12)
SECOND = timedelta(seconds=1)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("transactional_db", "redis_server")]


@pytest.mark.timeout(120)
def test_four_processes_hold_within_a_second_and_lose_nothing(
    start_worker: StartWorker,
) -> None:
    workers = [start_worker("--concurrency", "4") for _ in range(4)]
    for worker in workers:
        worker.wait_until_active()
    agenda = Agenda()
    for number in range(COUNT):
        agenda.add(tasks.add)(number % 10, 0)
    batch = agenda.scatter(over=WINDOW)
    ended = Execution.objects.filter(batch=batch, status="succeeded")
    wait_until(lambda: ended.values("worker").distinct().count() == len(workers), 20)

    strike(tasks.add, "a", "<", 5)
    struck_at = now()
    wait_until(lambda: now() > max(batch.end, struck_at + SECOND), 30)
    free = batch.executions.filter(held_by="").exclude(status="succeeded")
    wait_until(lambda: not free.exists(), 30)

    rows = batch.executions.all()
    low = [row for row in rows if row.args[0] < 5]
    high = [row for row in rows if row.args[0] >= 5]
    assert {row.status for row in high} == {"succeeded"}
    late = [row for row in low if row.started_at and row.started_at > struck_at + SECOND]
    assert not late
    held = [row for row in low if row.status == "scheduled"]
    assert len(held) > COUNT / 4
    assert {(bool(row.held_by), row.attempts) for row in held} == {(True, 0)}

    restored_at = now()
    assert restore(tasks.add, "a", "<", 5, over=2 * SECOND) == len(held)
    batch.wait(30)

    fresh = {row.pk: row for row in batch.executions.all()}
    starts = [row.started_at for row in (fresh[one.pk] for one in held) if row.started_at]
    assert len(starts) == len(held)
    assert max(starts) - restored_at > SECOND
    assert {row.attempts for row in fresh.values()} == {1}
    assert batch.status == "succeeded"
    for worker in workers:
        worker.send(signal.SIGTERM)
        assert worker.end() == 0
    assert_sound()
    assert_all_ended()

"""Many contenders for one slot, and workers that are killed: each exactly once, never two at once.

A body that was killed never wrote that it had gone. It left for good when its worker was killed,
so the test writes that down for it.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from django_agenda import Agenda, Call
from django_agenda.clock import monotonic, now
from django_agenda.models import Batch, Execution
from tests import gated_tasks as tasks
from tests.acceptance.conftest import StartWorker, WorkerProcess, start_worker  # noqa: F401
from tests.gated_tasks import most_at_once, visitors
from tests.sound import assert_counters_equal_rows, assert_sound
from tests.tasks import append, lines
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]

CONTENDERS = 60
KILLS = 3
QUICK = {"AUDIT_INTERVAL": 0.5}


def test_one_slot_under_kills_is_never_taken_twice_and_never_lost(
    start_worker: StartWorker,  # noqa: F811
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "visits")
    calls = [Call(tasks.alone, (path, number, 0.03)) for number in range(CONTENDERS)]
    batch = Agenda(calls).scatter(over=timedelta(seconds=1), start=now())
    workers = [start_worker("--concurrency", "4", **QUICK) for _ in range(4)]

    for _ in range(KILLS):
        wait_for_more(path, 16)
        victim, *_ = wait_until(lambda: those_that_run(workers), 60)
        victim.kill()
        leave(path)
        workers[workers.index(victim)] = start_worker("--concurrency", "4", **QUICK)
    wait_until(lambda: Batch.objects.get(pk=batch.pk).is_finished, 120)

    batch = assert_counters_equal_rows(batch)
    assert (batch.status, batch.succeeded) == ("succeeded", CONTENDERS)
    assert most_at_once(path) == 1
    crashed = dict(batch.executions.filter(crashes__gt=0).values_list("position", "crashes"))
    came = visitors(path)
    for number in range(CONTENDERS):
        assert 1 <= came.count(number) <= 1 + crashed.get(number, 0)
    assert len(came) <= CONTENDERS + KILLS
    assert_sound()


def wait_for_more(path: str, count: int) -> None:
    wanted = len(lines(path)) + count
    wait_until(lambda: len(lines(path)) >= wanted, 60)


def those_that_run(workers: list[WorkerProcess]) -> list[WorkerProcess]:
    """Return which of these have something; the rows of one that was killed name it for a while."""
    running = Execution.objects.filter(status="running").values_list("worker", flat=True)
    names = {name.split(":")[0].split("/")[0] for name in running}
    return [one for one in workers if one.name in names]


def leave(path: str) -> None:
    """Write that whoever was in has gone: its process is dead."""
    last = lines(path)[-1].split()
    if last[0] == "in":
        append(path, f"out {last[1]} {monotonic()}")

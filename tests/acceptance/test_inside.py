"""A body in a process of its own says as much of itself as one in a thread."""

from __future__ import annotations

from pathlib import Path

import pytest

from django_agenda import schedule
from django_agenda.models import Attempt, Execution
from tests import inside_tasks as tasks
from tests.tasks import lines
from tests.waiting import wait_until

from .conftest import StartWorker

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("redis_server")]


def test_a_body_that_computes_tells_how_far_it_is_and_asks_again(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    ledger, end = str(tmp_path / "ledger"), tmp_path / "end"
    row = schedule(tasks.compute)(ledger, str(end))
    start_worker("--cpu-processes", "1")

    wait_until(lambda: bool(lines(ledger)), 20)
    halfway = Execution.objects.filter(pk=row.pk, status="running", progress_message="half")
    wait_until(lambda: halfway.filter(progress_done=1, progress_total=2).exists(), 10)
    end.touch()

    assert row.wait(20) == [2, 2]
    row.refresh_from_db()
    assert (row.progress_done, row.progress_total) == (2, 2)
    first = Attempt.objects.get(number=1)
    assert (first.outcome, first.error_message) == ("retried", "not yet")

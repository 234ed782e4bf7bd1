"""Whatever a body raises, its outcome is recorded, and the worker goes on with the next one."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from django_agenda import Call, schedule, schedule_many
from django_agenda.models import Execution
from tests import hostile_tasks, tasks
from tests.waiting import wait_until

from .conftest import RunningWorker

WAYS = [
    hostile_tasks.raise_it,
    hostile_tasks.raise_it_async,
    hostile_tasks.raise_it_in_time,
    hostile_tasks.raise_it_twice,
    hostile_tasks.raise_it_together,
    hostile_tasks.raise_it_in_a_child,
]


@pytest.fixture(autouse=True)
def _what_is_raised_while_it_is_let_go_of_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Say nothing of it, and let nothing of it die in another test.

    pytest would write it down, with the hostile error that is being handled at that moment.
    """
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    yield
    gc.collect()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name.rpartition(".")[2])
def test_every_hostile_error_is_an_outcome_and_the_next_task_runs(way: Any) -> None:
    rows = schedule_many([Call(way, (kind,)) for kind in hostile_tasks.KINDS])
    after = schedule_many([Call(tasks.add, (1, 2)), Call(tasks.add_async, (1, 2))])

    with RunningWorker(concurrency=2):
        for one in after:
            assert one.wait(10) == 3
        wait_until(lambda: not Execution.objects.live().exists(), 20, what="the end of all")
        assert schedule(tasks.add)(1, 2).wait(20) == 3

    for row in rows:
        row.refresh_from_db()
        assert row.status == "failed", (row.args, row.status)
        assert row.failed_stage in ("run", "timeout"), row.args
        # What is no Exception is not tried again.
        is_error = issubclass(type(hostile_tasks.KINDS[row.args[0]]()), Exception)
        assert row.attempts == (row.max_attempts if is_error else 1), row.args
        assert row.error_class, row.args
        assert len(row.error_fingerprint) == 16, row.args
        assert len(row.error_message) < 10_000, row.args
        assert len(row.traceback) < 100_000, row.args
        assert (row.error_class + row.error_message + row.traceback).encode(), row.args

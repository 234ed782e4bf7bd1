"""An operation whose worker is killed in the middle."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Execution, Operation
from tests.factories import Scene, flood
from tests.waiting import wait_until

from .test_processes import Start, start

__all__ = ["start"]

TOTAL = 2000
FAILED = Scene(elapsed=2, outage=None, refused=0, failing=1, missing=0, cancelled=0)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("transactional_db", "redis_server")]


def test_another_process_goes_on_and_nothing_is_done_twice(
    start: Start, admin_client: Client, settings: object
) -> None:
    settings.DJANGO_AGENDA = {**settings.DJANGO_AGENDA, "CHUNK_SIZE": 10}  # type: ignore[attr-defined]
    batch = flood(TOTAL, scene=FAILED)
    # Nobody serves it, so what was retried stays as it is.
    Execution.objects.filter(batch=batch).update(queue_name="elsewhere")
    address = reverse("admin:django_agenda_batch_do", args=[batch.pk, "retry"])
    admin_client.post(address, {"amount": "1", "unit": "days"})
    operation = Operation.objects.get()
    assert operation.total == TOTAL

    program = start("--queue-name", "default", CHUNK_SIZE=10)
    (pid,) = program.wait_until_active()
    wait_until(lambda: Operation.objects.get().done >= 50, 30)
    os.kill(pid, signal.SIGKILL)
    at_the_kill = Operation.objects.get()
    wait_until(lambda: not Operation.objects.get().is_open, 60)

    assert at_the_kill.status == "running"
    assert at_the_kill.done < TOTAL
    operation.refresh_from_db()
    assert (operation.status, operation.done, operation.skipped) == ("finished", TOTAL, 0)
    carried = Execution.objects.get(pk=str(operation.execution_id))
    assert (carried.crashes, carried.attempts) == (1, 2)
    batch.refresh_from_db()
    assert (batch.scheduled, batch.failed) == (TOTAL, 0)
    due = list(batch.executions.order_by("due_at").values_list("due_at", flat=True))
    assert len(set(due)) == TOTAL
    assert due[-1] - due[0] == pytest.approx(timedelta(days=1), abs=timedelta(seconds=1))
    assert due[-1] > now()
    program.send(signal.SIGTERM)
    assert program.end() == 0

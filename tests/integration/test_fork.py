"""Processes share no connection."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection

from django_agenda import Agenda, Call
from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.models import Worker
from django_agenda.worker.codes import BROKEN
from django_agenda.worker.fork import fork
from tests import process_tasks as tasks

pytestmark = pytest.mark.usefixtures("transactional_db", "redis_server")


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_process_that_has_connected_can_fork() -> None:
    Worker.objects.create(name="parent", hostname="here", pid=os.getpid())
    broker.queue_names()

    def work() -> int:
        for number in range(50):
            Worker.objects.create(name=f"child {number}", hostname="here", pid=os.getpid())
            broker.queue_names()
        connection.close()
        return 5

    pids = [fork(work) for _ in range(2)]
    for _ in range(50):
        assert Worker.objects.filter(name="parent").exists()
        broker.queue_names()

    assert [ended(pid) for pid in pids] == [5, 5]
    assert Worker.objects.count() == 101


def test_a_child_that_raises_ends_with_a_code_of_its_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def work() -> int:
        raise ZeroDivisionError("on purpose")

    assert ended(fork(work)) == BROKEN
    assert "ZeroDivisionError: on purpose" in capfd.readouterr().err


def test_signals_wait_until_the_child_has_handlers() -> None:
    def work() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return 0 if signal.SIGTERM in signal.sigpending() else 1

    assert ended(fork(work)) == 0
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_the_command_in_a_process_of_others_forks_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    ledger = str(tmp_path_factory.mktemp("ledger") / "ledger")
    batch = Agenda([Call(tasks.note, (ledger, "ran"))]).scatter(
        start=now() - timedelta(seconds=1), over=timedelta(microseconds=1)
    )

    call_command("run_agenda_worker", burst=True)

    assert batch.executions.get().return_value == os.getpid()

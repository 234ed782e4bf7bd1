"""What a command says when it was given nonsense, or has no tables."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from django_agenda import schedule
from tests import tasks
from tests.waiting import wait_until

from .conftest import StartWorker


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--queue-name", "a,b", "--exclude-queues", "b,a"], "all of a, b are excluded"),
        (["--worker-id", ""], "1 to 120 printable characters"),
        (["--worker-id", "x" * 121], "1 to 120 printable characters"),
    ],
    ids=str,
)
def test_a_worker_that_could_do_nothing_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("run_agenda_worker", *arguments)


def test_a_status_without_a_pause_is_refused() -> None:
    with pytest.raises(CommandError, match="must be more than 0: '0s'"):
        call_command("agenda_status", "--watch", "0s")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "command", ["agenda_status", "agenda_reconcile", "agenda_prune --older-than=1d"]
)
def test_a_command_without_a_database_says_so_in_a_sentence(command: str) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise DatabaseError("no such\ntable")

    with (
        connection.execute_wrapper(refuse),
        pytest.raises(CommandError, match=r"^The database cannot be used: no such table\.") as said,
    ):
        call_command(*command.split())

    assert said.value.returncode == 2


def test_a_worker_without_tables_names_the_command_that_makes_them(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(
        environment={
            "AGENDA_TEST_DB": "sqlite",
            "AGENDA_TEST_DB_HOST": str(tmp_path),
            "AGENDA_TEST_DB_NAME": "empty",
        }
    )
    worker.wait_for_output("`manage.py migrate` was not run: 0001_initial is not applied")

    worker.send(signal.SIGINT)

    assert worker.end(8) == 0
    assert worker.output.count("trouble_began") == 1
    assert "worker_stopped" in worker.output


def test_a_worker_that_gives_bodies_back_warns_of_it(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    started = str(tmp_path / "started")
    schedule(tasks.wait_for_file)(started, str(tmp_path / "end"))
    worker = start_worker("--shutdown-timeout", "0.3")
    wait_until(lambda: tasks.lines(started), 20)

    worker.send(signal.SIGTERM)

    assert worker.end(8) == 1
    assert "given_back=1" in worker.output

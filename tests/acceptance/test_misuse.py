"""What a command says when it was given nonsense, or has no tables."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from django_agenda import schedule
from django_agenda.management.commands.run_agenda_worker import Command, read
from tests import tasks
from tests.waiting import wait_until

from .conftest import StartWorker


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--queue-name", "a,b", "--exclude-queues", "b,a"], "all of a, b are excluded"),
        (["--worker-id", ""], "1 to 120 printable characters"),
        (["--worker-id", "x" * 121], "1 to 120 printable characters"),
        (["--heartbeat-file", "/nowhere/alive"], "there is no folder '/nowhere'"),
        (["--heartbeat-file", "/tmp"], "must be a file, not the folder '/tmp'"),
    ],
    ids=str,
)
def test_a_worker_that_could_do_nothing_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("run_agenda_worker", *arguments)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_tasks": 0}, "--max-tasks: must be a whole number from 1, not '0'"),
        ({"concurrency": "many"}, "--concurrency: must be a whole number from 1 to 10000, not 'm"),
        ({"concurrency": 10**30}, "--concurrency: must be a whole number from 1 to 10000, not '10"),
        ({"processes": 9999}, "--processes: must be a whole number from 1 to 1000, not '9999'"),
        ({"cpu_processes": -1}, "--cpu-processes: must be a whole number from 0 to 1000, not '-1'"),
        ({"shutdown_timeout": -5}, "--shutdown-timeout: must be more than 0 seconds, not '-5'"),
        ({"queue_name": ["MAIL"]}, "--queue-name: A queue name must be"),
        ({"worker_id": "a\nb"}, "--worker-id: must be 1 to 120 printable characters"),
        ({"heartbeat_file": "/nowhere/alive"}, "--heartbeat-file: there is no folder '/nowhere'"),
    ],
    ids=str,
)
def test_an_option_from_python_is_checked_like_one_of_the_command_line(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("run_agenda_worker", burst=True, **options)


def test_an_option_from_python_may_be_text_or_the_value_itself() -> None:
    given = vars(Command().create_parser("manage.py", "run_agenda_worker").parse_args([]))
    five = timedelta(seconds=5)

    as_text = read({**given, "max_tasks": "3", "shutdown_timeout": "5", "max_memory": "2K"})
    as_values = read({**given, "max_tasks": 3, "shutdown_timeout": five, "max_memory": 2048})

    for options in (as_text, as_values):
        assert (options.max_tasks, options.shutdown_timeout, options.max_memory) == (3, five, 2048)


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


@pytest.mark.parametrize(
    "command", ["agenda_status", "agenda_reconcile", "agenda_prune --older-than=1d"]
)
def test_a_command_without_a_server_says_so_before_any_check_asks_it(command: str) -> None:
    nowhere = {"AGENDA_TEST_DB": "postgres", "AGENDA_TEST_DB_HOST": "/nowhere"}

    ended = subprocess.run(
        [sys.executable, "-m", "django", *command.split()],
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("CommandError: The database cannot be used: ")


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

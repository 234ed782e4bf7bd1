"""`run_agenda_worker` as a process of its own, as people run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest

from django_agenda.models import Worker
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
QUICK = {"HEARTBEAT": 0.2, "WORKER_TTL": 1.0, "CARETAKER_INTERVAL": 0.1, "MAX_BLOCK": 0.5}

_numbers = count(1)


class WorkerProcess:
    """Hold a worker process: what it says, and how it ends."""

    def __init__(self, arguments: list[str], settings: dict[str, Any], **extra: str) -> None:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "AGENDA_TEST_OVERRIDES": json.dumps(QUICK | settings),
            **extra,
        }
        environment.pop("PYTEST_VERSION", None)
        self.name = f"w{next(_numbers)}"
        # A file and not a pipe, so that it can be read while the worker runs.
        self._file = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._popen = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "django",
                "run_agenda_worker",
                "--worker-id",
                self.name,
                *arguments,
            ],
            cwd=ROOT,
            env=environment,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            # A group of its own: the supervisor and all of its children.
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        """Return what it has said until now, its log among it."""
        return os.pread(self._file.fileno(), 1_000_000, 0).decode()

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def wait_until_active(self) -> None:
        living = Worker.objects.filter(name=self.name, status="active")
        wait_until(lambda: living.exists() or not self.is_running, 20, what="the worker's row")
        assert self.is_running, self.output

    def wait_for_output(self, text: str) -> None:
        wait_until(lambda: text in self.output or not self.is_running, 20, what=repr(text))
        assert text in self.output, self.output

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor, or stop and continue all of its processes."""
        if number in (signal.SIGSTOP, signal.SIGCONT):
            os.killpg(self._popen.pid, number)
        else:
            self._popen.send_signal(number)

    def kill(self) -> None:
        """End all of its processes as the kernel would; nothing that they hold is given back."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def end(self, timeout: float = 20) -> int:
        """Wait for its end, and return its exit code."""
        code = self._popen.wait(timeout)
        sys.stdout.write(self.output)
        return code

    def close(self) -> None:
        self.kill()
        self._file.close()


class StartWorker(Protocol):
    def __call__(self, *arguments: str, **settings: Any) -> WorkerProcess: ...


@pytest.fixture
def start_worker(transactional_db: None) -> Iterator[StartWorker]:
    """Return a function that starts a worker; all of them are ended after the test."""
    started: list[WorkerProcess] = []

    def start(
        *arguments: str, environment: dict[str, str] | None = None, **settings: Any
    ) -> WorkerProcess:
        started.append(WorkerProcess(list(arguments), settings, **environment or {}))
        return started[-1]

    yield start
    for worker in started:
        worker.close()

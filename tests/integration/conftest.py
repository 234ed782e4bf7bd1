"""A real database, a real Redis, and a worker in this process; afterwards everything must hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, Self

import pytest
from django.db import connections

from django_agenda.broker.connection import client as broker_client
from django_agenda.broker.connection import forget_clients
from django_agenda.models import Batch, Worker
from django_agenda.signals import execution_scheduled
from django_agenda.worker.options import Options
from django_agenda.worker.queues import Queues
from django_agenda.worker.worker import WorkerProcess
from tests import sound
from tests.conftest import RedisServer

WORKER_DEADLINE = 20.0
QUICK = {
    "MAX_BLOCK": 0.03,
    "HEARTBEAT": 0.1,
    "WORKER_TTL": 2.0,
    "CARETAKER_INTERVAL": 0.05,
    "ENQUEUE_GRACE": 0.001,
}


class Configure(Protocol):
    def __call__(self, **changes: Any) -> None: ...


@pytest.fixture
def configure(settings: Any) -> Configure:
    """Return a function that changes keys of DJANGO_AGENDA for this test."""

    def change(**changes: Any) -> None:
        settings.DJANGO_AGENDA = {**settings.DJANGO_AGENDA, **changes}

    return change


@pytest.fixture(autouse=True)
def _quick(configure: Configure) -> None:
    configure(**QUICK)


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    yield
    redis_server.thaw()
    redis_server.start()
    sound.assert_sound()
    sound.assert_no_key_is_forgotten(redis_server.client)


@pytest.fixture(autouse=True)
def _fresh_connections() -> Iterator[None]:
    yield
    forget_clients()


class Work(Protocol):
    def __call__(self, *queues: str, **options: Any) -> int: ...


@pytest.fixture
def work() -> Work:
    """Return a function that runs a worker until nothing is due, and returns its exit code.

    A worker that does not end by itself in time fails the test, and is ended first.
    """

    def run(*queues: str, excluded: tuple[str, ...] = (), **options: Any) -> int:
        queues = queues or ("*",)
        ends = {"burst": "max_tasks" not in options}
        with RunningWorker(queues=Queues(queues, excluded), **ends | options) as running:
            running.thread.join(WORKER_DEADLINE)
            assert running.codes, "The worker did not come to an end."
        return running.codes[0]

    return run


class RunningWorker:
    """Run a worker in a thread, and end it with the block, whatever it does by then."""

    def __init__(self, **options: Any) -> None:
        given: dict[str, Any] = {"concurrency": 4, "shutdown_timeout": timedelta(seconds=1)}
        self.process = WorkerProcess(Options(**given | options))
        self.codes: list[int] = []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def is_idle(self) -> bool:
        """Tell whether it has looked for what is due, and blocks until it hears of more."""
        client = broker_client()
        blocked = [one for one in client.client_list() if one["cmd"] == "blpop"]
        return bool(blocked) and client.get("{test}:filled") is not None

    def __exit__(self, *_: object) -> None:
        self.process.stop()
        self.thread.join(WORKER_DEADLINE)
        for loop in self.process._loops.values():
            if loop.ident is not None:
                loop.join(WORKER_DEADLINE)

    def _run(self) -> None:
        try:
            self.codes.append(self.process.run())
        finally:
            connections.close_all()


@pytest.fixture
def after_chunk(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """Return a function that arranges for something to happen after Redis took the n-th chunk."""
    receivers: list[Any] = []

    def arrange(number: int, then: Callable[[], object]) -> None:
        taken = 0

        def receive(**_: Any) -> None:
            nonlocal taken
            taken += 1
            if taken == number:
                then()

        receivers.append(receive)
        execution_scheduled.connect(receive, weak=False)

    yield arrange
    for receiver in receivers:
        execution_scheduled.disconnect(receiver)


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """Return the path of a file that bodies append their lines to."""
    return str(tmp_path / "ledger")


@pytest.fixture
def living_worker() -> Worker:
    """Return the row of a worker that lives, as claims need one."""
    return Worker.objects.create(name="tester", hostname="here", pid=1)


def statuses(batch: Batch) -> list[str]:
    return list(batch.executions.order_by("position").values_list("status", flat=True))


__all__ = ["Configure", "RunningWorker", "Work", "statuses"]

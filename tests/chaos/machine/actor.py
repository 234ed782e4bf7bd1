"""A worker without threads: each of its parts takes a step when the test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from queue import Empty
from typing import Any, NamedTuple

import pytest
from django.db import OperationalError, connections
from django.db.models import F
from django.db.models.functions import Now

from django_agenda import current, task
from django_agenda.models import Fleet, Worker
from django_agenda.worker import claimer, recorder
from django_agenda.worker.claim import Outcome
from django_agenda.worker.options import Options
from django_agenda.worker.queues import Queues
from django_agenda.worker.runner import run
from django_agenda.worker.worker import WorkerProcess
from tests.tasks import Refusal

HOUR = timedelta(hours=1)


class Run(NamedTuple):
    """Hold which attempt of what a body was, and who ran it; its place in the list is its token."""

    id: str
    attempt: int
    worker: str


RUNS: list[Run] = []
_names: list[str] = []


@task(max_attempts=4, backoff=timedelta(microseconds=1))
def note_run(fails: int = 0) -> int:
    """Return the token of this run; fail as often as is asked for."""
    RUNS.append(Run(current.execution.pk.hex, current.attempt, _names[-1]))
    if current.attempt <= fails:
        raise Refusal("as it was asked to")
    return len(RUNS) - 1


@task
def note_end(batch_id: int) -> int:
    return batch_id


class Actor:
    """Hold the parts of one worker process, which share nothing with those of another."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended: list[Outcome] = []
        """What bodies have come to, and the process has not heard yet."""
        self.unstored: list[Outcome] = []
        self.stored: list[Outcome] = []
        self._process = self._begin()

    def _begin(self) -> WorkerProcess:
        options = Options(queues=Queues(["*"]), concurrency=3, worker_id=self.name)
        process = WorkerProcess(options)
        with process._shutdown:
            process._shutdown.poke()
        process._control.open()
        process._heart.register()
        return process

    def _safely(self, step: Callable[[], object]) -> None:
        try:
            step()
        except OperationalError as error:
            self._process._trouble.met(error)

    def claim(self) -> None:
        self._process.options.queues.look_again()
        self._safely(self._process._loops["claimer"]._tick)

    def claim_unheard(self) -> None:
        with _answer_lost(claimer, "claim"):
            self.claim()

    def run_one(self) -> None:
        """Run the body that waits longest, as a thread would; it is told of later."""
        threads = self._process._crew._threads
        try:
            claim = threads._waiting.get_nowait()
        except Empty:
            return
        context = claim and threads._bodies.begin(claim, None)
        if claim is None or context is None:
            return
        _names.append(self.name)
        outcome = run(claim, self.name, threads._deadlines, context)
        self.ended.append(outcome)

    def end_all(self) -> None:
        threads = self._process._crew._threads
        for outcome in self.ended:
            if threads._bodies.end(outcome.claim):
                threads._done(outcome)
            else:
                threads._returned()
        self.ended = []

    def store(self) -> None:
        """Store what waits, as the recorder does: what failed waits on."""
        self.end_all()
        while True:
            try:
                outcome = self._process._recorder._waiting.get_nowait()
            except Empty:
                break
            if outcome is not None:
                self.unstored.append(outcome)
        self._safely(self._store)

    def _store(self) -> None:
        if self.unstored:
            self._process._recorder._store(self.unstored)
        self.stored += self.unstored
        self.unstored = []

    def store_unheard(self) -> None:
        with _answer_lost(recorder, "record"):
            self.store()

    def store_again(self) -> None:
        """Send what is stored once more, as after a commit whose answer was lost."""
        if self.stored:
            self._process._recorder._store(self.stored[-3:])

    def beat(self) -> None:
        self._process._heart.tick()

    def take_care(self) -> None:
        """Do all chores; whoever led before has been silent since."""
        Fleet.objects.update(leader=None, heard_since=Now() - 2 * HOUR, heard_at=Now())
        self._safely(self._process._intake.chores)

    def fall_silent(self) -> None:
        """An hour passes in which this process stands still."""
        lease = self._process._heart.lease
        lease.renew(-1e9)
        self._rows().update(beat_at=F("beat_at") - HOUR)

    def let_go(self) -> list[str]:
        """Give back what was not started, and what runs; those bodies may end all the same."""
        crew = self._process._crew
        claims = self._process._in_hand.let_go(crew._threads.empty())
        running = crew.interrupt()
        self._process._let_go([*claims, *running])
        return [one.id for one in running]

    def die(self) -> None:
        self._rows().update(beat_at=Now() - HOUR)
        self.ended, self.unstored, self.stored = [], [], []
        self._process = self._begin()

    def close(self) -> None:
        self._process._control.close()

    def _rows(self) -> Any:
        return Worker.objects.filter(pk=self._process._heart.worker.pk)


@contextmanager
def _answer_lost(module: Any, name: str) -> Iterator[None]:
    """Have the next call done, and its answer lost."""
    real = getattr(module, name)

    def lose(*args: Any, **kwargs: Any) -> Any:
        setattr(module, name, real)
        real(*args, **kwargs)
        raise OperationalError("server closed the connection unexpectedly")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, lose)
        yield


def forget_runs() -> None:
    RUNS.clear()
    _names.clear()


def keep_connections_open(patch: pytest.MonkeyPatch) -> None:
    """Bodies that run in this very thread would close them each time."""
    for one in connections.all():
        patch.setitem(one.settings_dict, "CONN_MAX_AGE", None)
        one.close()

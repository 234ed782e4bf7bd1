"""Verbs and claims at one and the same instant: exactly one of the two happens."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, connections

from django_agenda import Call
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Worker
from django_agenda.worker.claims import give_back
from django_agenda.worker.record import record
from tests import control_tasks, tasks
from tests.sound import assert_counters_equal_rows

from .conftest import RunningWorker
from .control import DEFAULT, HOUR, batch_of, outcome, overdue, take

ROUNDS = 200


def at_once(*steps: Callable[[], object]) -> None:
    """Let each step go in a thread of its own at one moment; raise what one of them raised."""
    barrier = threading.Barrier(len(steps))
    errors: list[BaseException] = []

    def go(step: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(10)
            step()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    if errors:
        raise errors[0]


class Claimer:
    """Claim rows and store how they ended, as a worker does; `ran` are the ids that it was given.

    A claim whose cancellation was asked for is given back, as before its start.
    """

    def __init__(self) -> None:
        self.worker = Worker.objects.create(name="racer", hostname="here", pid=1)
        self.ran: list[str] = []

    def claim(self, rows: Sequence[Execution]) -> None:
        claims = take(self.worker, *rows)
        self.ran += [one.id for one in claims]
        record(DEFAULT, self.worker, [outcome(one) for one in claims])


def test_a_claim_and_a_cancellation_exclude_each_other() -> None:
    claimer = Claimer()
    batch = overdue(count=ROUNDS)
    cancelled: list[int] = []
    rng = random.Random(1)
    for row in batch.executions.all():
        delays = rng.random() * 0.002, rng.random() * 0.002

        def claim(row: Execution = row, delay: float = delays[0]) -> None:
            threading.Event().wait(delay)
            claimer.claim([row])

        def cancel(row: Execution = row, delay: float = delays[1]) -> None:
            threading.Event().wait(delay)
            cancelled.append(Execution.objects.filter(pk=row.pk).cancel())

        at_once(claim, cancel)

    rows = Counter(batch.executions.values_list("status", flat=True))
    ran = set(claimer.ran)
    assert len(claimer.ran) == len(ran) == rows["succeeded"]
    assert rows["cancelled"] == ROUNDS - len(ran)
    assert {row.pk.hex for row in batch.executions.filter(status="succeeded")} == ran
    assert_counters_equal_rows(batch)


def test_chunks_of_claims_and_cancellations_in_one_batch() -> None:
    claimers = [Claimer() for _ in range(2)]
    batches = [overdue(count=60) for _ in range(6)]
    counts: list[int] = []
    for batch in batches:
        rows = list(batch.executions.all())
        at_once(
            lambda rows=rows: claimers[0].claim(rows),  # type: ignore[misc]
            lambda rows=rows: claimers[1].claim(rows[::-1]),  # type: ignore[misc]
            lambda batch=batch: counts.append(Batch.objects.get(pk=batch.pk).cancel()),  # type: ignore[misc]
        )

    ran = Counter(id_ for claimer in claimers for id_ in claimer.ran)
    assert set(ran.values()) <= {1}
    for fresh in map(assert_counters_equal_rows, batches):
        assert fresh.succeeded + fresh.cancelled == 60
    assert Execution.objects.filter(status="succeeded").count() == len(ran)


def test_a_pause_and_a_claim_exclude_each_other() -> None:
    claimer = Claimer()
    for _ in range(20):
        batch = overdue(count=20)
        rows = list(batch.executions.all())
        twin = Batch.objects.get(pk=batch.pk)
        at_once(lambda rows=rows: claimer.claim(rows), twin.pause)  # type: ignore[misc]
        batch = assert_counters_equal_rows(batch)
        # One claim is one transaction: all of it or nothing.
        assert (batch.succeeded, batch.scheduled) in ((20, 0), (0, 20))
        assert batch.executions.filter(held_by="batch paused").count() == batch.scheduled
        assert take(claimer.worker, *rows) == []
        batch.resume()
        assert batch.executions.exclude(held_by="").count() == 0
        batch.cancel()


def test_pauses_and_resumes_at_once_leave_rows_that_agree_with_the_batch() -> None:
    for number in range(20):
        batch = batch_of(count=30)
        twins = [Batch.objects.get(pk=batch.pk) for _ in range(4)]
        steps = [twins[0].pause, twins[1].resume, twins[2].pause, twins[3].resume]
        at_once(*random.Random(number).sample(steps, 4))
        batch = assert_counters_equal_rows(batch)
        held = set(batch.executions.values_list("held_by", flat=True))
        assert held == ({"batch paused"} if batch.paused_at else {""}), number
        assert batch.settling_since is None
        batch.cancel()


def test_members_and_their_batch_resumed_at_once() -> None:
    for _ in range(20):
        batch = batch_of(count=20)
        batch.executions.filter(position__lt=10).pause()
        batch.pause()
        twin = Batch.objects.get(pk=batch.pk)
        at_once(twin.resume, batch.executions.all().resume)
        assert set(batch.executions.values_list("held_by", flat=True)) == {""}
        batch.cancel()


def test_two_retries_at_once_retry_once() -> None:
    counts: list[int] = []
    for _ in range(20):
        batch = overdue(*[Call(tasks.plain, key=f"k{n}") for n in range(10)])
        batch.cancel()
        counts.clear()
        twins = [Batch.objects.get(pk=batch.pk) for _ in range(2)]
        at_once(*[lambda twin=twin: counts.append(twin.executions.retry()) for twin in twins])
        assert sum(counts) == 10
        assert assert_counters_equal_rows(batch).scheduled == 10
        assert set(batch.executions.values_list("max_attempts", flat=True)) == {1}
        batch.cancel()


def test_a_reschedule_and_a_claim_exclude_each_other() -> None:
    claimer = Claimer()
    batch = overdue(count=60)
    later = now() + HOUR
    moved: list[int] = []
    for row in batch.executions.all():
        moved.clear()
        at_once(
            lambda row=row: claimer.claim([row]),  # type: ignore[misc]
            lambda row=row: moved.append(  # type: ignore[misc]
                Execution.objects.filter(pk=row.pk).reschedule(at=later)
            ),
        )
        row.refresh_from_db()
        assert (row.status, row.due_at == later) in (("succeeded", False), ("scheduled", True))
        assert moved == [row.status == "scheduled"]
    assert_counters_equal_rows(batch)
    batch.cancel()


@pytest.mark.parametrize("seed", range(2))
def test_everything_at_once_leaves_exact_counts(seed: int) -> None:
    batches = [overdue(count=40, max_failures=30) for _ in range(3)]
    rows = list(Execution.objects.all())
    stored: list[str] = []

    def work(number: int) -> None:
        rng = random.Random(seed * 100 + number)
        worker = Worker.objects.create(name=f"w{number}", hostname="here", pid=number)
        mine = rng.sample(rows, len(rows))
        for first in range(0, len(mine), 12):
            claims = take(worker, *mine[first : first + 12])
            give_back(DEFAULT, worker, [(one.id, one.attempt) for one in claims[::4]])
            kept = [one for n, one in enumerate(claims) if n % 4]
            words = {one.id: rng.choice(["succeeded", "failed"]) for one in kept}
            done = record(DEFAULT, worker, [outcome(one, words[one.id]) for one in kept])
            stored.extend(done.taken)

    def control(number: int) -> None:
        rng = random.Random(seed * 100 + 50 + number)
        for _ in range(12):
            batch = Batch.objects.get(pk=rng.choice(batches).pk)
            part = batch.executions.filter(position__gte=rng.randrange(40))
            verbs: list[Callable[[], object]] = [
                batch.pause,
                batch.resume,
                batch.retry_failed,
                part.cancel,
                part.pause,
                part.resume,
                partial(part.reschedule, by=timedelta(seconds=-1)),
                partial(batch.respread, HOUR, start=now() - 3 * HOUR),
            ]
            rng.choice(verbs)()

    at_once(
        *[partial(work, number) for number in range(2)],
        *[partial(control, number) for number in range(2)],
    )

    for batch in batches:
        assert_counters_equal_rows(batch)
        batch.resume()
        batch.executions.resume()
        assert batch.executions.exclude(held_by="").count() == 0
    assert not Execution.objects.filter(status="running").exists()
    Execution.objects.all().cancel()


def test_a_running_worker_and_a_storm_of_verbs(ledger: str) -> None:
    calls = [Call(control_tasks.note_and_wait, (ledger, str(n))) for n in range(300)]
    batch = overdue(*calls)
    rng = random.Random(3)
    with RunningWorker(concurrency=8):
        for _ in range(30):
            part = batch.executions.filter(position__in=rng.sample(range(300), 5))
            rng.choice([part.cancel, part.pause, part.resume, batch.pause, batch.resume])()
        batch.resume()
        batch.executions.resume()
        batch.wait(20)

    batch = assert_counters_equal_rows(batch)
    ran = Counter(tasks.lines(ledger))
    assert set(ran.values()) <= {1}
    ended = dict(batch.executions.values_list("position", "status"))
    assert set(ended.values()) <= {"succeeded", "cancelled"}
    assert {int(number) for number in ran} == {
        n for n, word in ended.items() if word != "cancelled"
    }

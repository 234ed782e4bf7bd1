"""Rows for tests, benchmarks and pictures: single ones, and whole batches with a history."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from factory.declarations import LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory

from django_agenda.clock import now
from django_agenda.models import Attempt, Batch, Execution, Schedule, Worker
from django_agenda.models.errors import fingerprint

TASK = "shop.tasks.send_reminder"
REFUSAL = "Error 111 connecting to 127.0.0.1:6379. Connection refused."
_CHUNK = 2000
_ERRORS = (
    ("builtins.TimeoutError", "SMTP mail.example.com did not answer in {seconds} s", 0.72),
    ("builtins.ValueError", "no address for customer {customer}", 0.2),
    ("smtplib.SMTPRecipientsRefused", "550 <user{customer}@example.com> unknown", 0.08),
)


class BatchFactory(DjangoModelFactory[Batch]):
    """Make an empty batch, which has ended."""

    class Meta:
        model = Batch

    name = Sequence(lambda number: f"Newsletter {number}")
    start = LazyFunction(now)
    over = timedelta(hours=1)
    finished_at = LazyFunction(now)


class ExecutionFactory(DjangoModelFactory[Execution]):
    """Make one execution; the counts of its batch are not touched."""

    class Meta:
        model = Execution

    task_name = TASK
    args = Sequence(lambda number: [number])
    due_at = LazyFunction(now)


class AttemptFactory(DjangoModelFactory[Attempt]):
    """Make one failed attempt."""

    class Meta:
        model = Attempt

    execution = SubFactory(ExecutionFactory)
    number = 1
    outcome = Attempt.Outcome.FAILED
    finished_at = LazyFunction(now)


class ScheduleFactory(DjangoModelFactory[Schedule]):
    """Make one schedule that ticks every hour."""

    class Meta:
        model = Schedule

    fingerprint = Sequence(lambda number: f"{number:064}")
    name = Sequence(lambda number: f"Report {number}")
    task_name = "tests.tasks.nothing"
    kind = "interval"
    interval = timedelta(hours=1)
    next_at = LazyFunction(lambda: now() + timedelta(hours=1))


class WorkerFactory(DjangoModelFactory[Worker]):
    """Make one worker that lives."""

    class Meta:
        model = Worker

    name = Sequence(lambda number: f"mail-{number}")
    hostname = "web-1"
    pid = Sequence(lambda number: 4000 + number)
    version = "0.1.0"
    concurrency = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Say what became of a batch: shares of its executions, and how much of it is over.

    `elapsed` is how far now is into the window (above 1: it is over); `outage` a part of the
    window in which the mail server did not answer; `refused` the share at the end that Redis
    did not take; `failing` and `missing` what failed or was missed outside the outage.
    """

    elapsed: float = 0.62
    outage: tuple[float, float] | None = (0.3, 0.345)
    refused: float = 0.07
    failing: float = 0.02
    missing: float = 0.015
    cancelled: float = 0.005
    jitter: float = 0.3
    typical_lag_ms: float = 60.0
    typical_run_ms: float = 400.0


CALM = Scene(outage=None, refused=0.0, failing=0.0, missing=0.0, cancelled=0.0)


def flood(
    total: int,
    *,
    over: timedelta = timedelta(hours=4),
    moment: datetime | None = None,
    scene: Scene = Scene(),
    seed: int = 1,
    **fields: Any,
) -> Batch:
    """Make a batch of so many executions, in which what the scene says has happened."""
    moment = moment or now()
    random = Random(seed)
    start = moment - over * scene.elapsed
    batch = Batch.objects.create(
        start=start, over=over, total=total, created_at=start, **{"name": "Newsletter", **fields}
    )
    counts: Counter[str] = Counter()
    rows: list[Execution] = []
    for execution in _executions(batch, total, moment, scene, random):
        counts[execution.status] += 1
        rows.append(execution)
        if len(rows) == _CHUNK:
            Execution.objects.bulk_create(rows)
            rows = []
    Execution.objects.bulk_create(rows)
    return _close(batch, counts, moment)


def _close(batch: Batch, counts: Counter[str], moment: datetime) -> Batch:
    values: dict[str, Any] = dict(counts)
    values["enqueued"] = batch.total - counts["pending"] - counts["skipped"]
    values["told_until"] = batch.total - counts["pending"]
    if counts["pending"]:
        values["enqueue_error"] = f"redis.exceptions.ConnectionError: {REFUSAL}"
        values["enqueue_failed_at"] = batch.start + timedelta(seconds=3.412)
    if not any(counts[name] for name in ("pending", "scheduled", "running")):
        values["finished_at"] = min(moment, batch.end + timedelta(seconds=2))
    else:
        values["live_key"] = batch.key
    Batch.objects.filter(pk=batch.pk).update(**values)
    batch.refresh_from_db()
    return batch


def _executions(
    batch: Batch, total: int, moment: datetime, scene: Scene, random: Random
) -> Iterator[Execution]:
    over_ms = batch.over / timedelta(milliseconds=1)
    gap = over_ms / max(total - 1, 1)
    for position in range(total):
        slot = gap * position if total > 1 else over_ms / 2
        planned = slot + random.uniform(-gap, gap) * scene.jitter
        planned = min(max(planned, 0.0), over_ms)
        execution = Execution(
            batch=batch,
            position=position,
            task_name=TASK,
            **_payload(position),
            planned_offset_ms=int(planned),
            slot_offset_ms=int(slot),
            due_at=batch.start + timedelta(milliseconds=int(planned)),
            created_at=batch.created_at,
            max_attempts=3,
        )
        _live_through(execution, planned / over_ms, position / total, moment, scene, random)
        yield execution


def _payload(position: int) -> dict[str, Any]:
    return {
        "args": [1000 + position],
        "kwargs": {"template": "reminder", "api_token": "s3cr3t"},
    }


def _live_through(
    execution: Execution,
    place: float,
    order: float,
    moment: datetime,
    scene: Scene,
    random: Random,
) -> None:
    if order >= 1 - scene.refused:
        _fail(execution, "pending", "enqueue", "redis.exceptions.ConnectionError", REFUSAL)
        return
    if random.random() < scene.cancelled:
        execution.status = "cancelled"
        execution.finished_at = min(moment, execution.due_at)
        return
    in_outage = scene.outage is not None and scene.outage[0] <= place <= scene.outage[1]
    lag = int(random.lognormvariate(math.log(scene.typical_lag_ms), 0.9))
    run = int(random.lognormvariate(math.log(scene.typical_run_ms), 0.5))
    if in_outage:
        lag, run = int(random.lognormvariate(8.3, 1.0)), 10_000 + random.randrange(400)
    if execution.due_at + timedelta(milliseconds=lag) > moment:
        return
    if random.random() < (0.25 if in_outage else scene.missing):
        execution.finished_at = execution.due_at + timedelta(seconds=60)
        _fail(execution, "missed", "expired", "", "No worker started it before it expired")
        return
    _run(execution, lag, run, moment, random)
    if execution.status == "succeeded" and random.random() < (0.5 if in_outage else scene.failing):
        _fail_running(execution, in_outage=in_outage, random=random)


def _run(execution: Execution, lag: int, run: int, moment: datetime, random: Random) -> None:
    execution.started_at = execution.due_at + timedelta(milliseconds=lag)
    execution.lag_ms = lag
    execution.attempts = 1
    execution.worker = f"mail-{random.randrange(1, 4)}"
    ended = execution.started_at + timedelta(milliseconds=run)
    if ended > moment:
        execution.status = "running"
        return
    execution.status, execution.run_ms, execution.finished_at = "succeeded", run, ended
    execution.return_value = {"sent": True}


def _fail_running(execution: Execution, *, in_outage: bool, random: Random) -> None:
    shares = (1, 0, 0) if in_outage else [share for _, _, share in _ERRORS]
    (name, words, _share) = random.choices(_ERRORS, shares)[0]
    message = words.format(seconds=random.randrange(10, 31), customer=execution.args[0])
    execution.attempts = execution.max_attempts
    execution.return_value = None
    execution.traceback = (
        "Traceback (most recent call last):\n"
        '  File "/srv/shop/tasks.py", line 31, in send_reminder\n'
        "    server.send_message(mail)\n"
        f"{name.removeprefix('builtins.')}: {message}\n"
    )
    _fail(execution, "failed", "run", name, message)


def _fail(execution: Execution, status: str, stage: str, name: str, message: str) -> None:
    execution.status, execution.failed_stage = status, stage
    execution.error_class, execution.error_message = name, message
    execution.error_fingerprint = fingerprint(stage, name, message)

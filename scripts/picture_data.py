"""What the pictures of the documentation show."""

from __future__ import annotations

import secrets
from datetime import timedelta


def fill() -> tuple[str, int, int]:
    """Fill an empty database; return a password, and the numbers of two batches."""
    from django.contrib.auth.models import User

    from tests.factories import CALM, Scene, flood

    password = secrets.token_hex()
    User.objects.create_superuser("admin", password=password)
    # First what takes long: the others shall be of the moment of the picture.
    big = flood(20_000, over=timedelta(hours=24), name="Newsletter", labels=["mail"])
    flood(
        40,
        over=timedelta(minutes=1),
        name="Reminders, all at once",
        scene=Scene(elapsed=300.0, outage=(0.1, 1.0), refused=0.0),
    )
    flood(
        2400,
        over=timedelta(hours=2),
        name="Digest",
        scene=Scene(elapsed=9.0, refused=0.0, outage=None),
    )
    flood(800, over=timedelta(hours=1), name="Birthday vouchers", labels=["shop"], scene=CALM)
    batch = flood(1000, name="Reminders", key="reminders-47", labels=["mail"])
    flood(
        500,
        over=timedelta(minutes=30),
        name="Evening invoices",
        scene=Scene(elapsed=-12.0, refused=0, cancelled=0),
    )
    _fill_lists(big.pk)
    # Last, so that they are still alive in the first picture.
    _fill_workers()
    return password, batch.pk, big.pk


def _fill_workers() -> None:
    from django_agenda.clock import now
    from django_agenda.models import Fleet
    from django_agenda.models.load import STEPS, step_of
    from tests.factories import ExecutionFactory, WorkerFactory

    newest = step_of(now())
    for name, typical in (("mail-1", 5), ("mail-2", 7), ("shop-1", 1)):
        line = [
            (
                newest - STEPS + 1 + place,
                min(max(typical + (place * 7919 % 31 - 15) / 10, 0), 8),
                int((place * 7907 + typical) % 29 == 0),
            )
            for place in range(STEPS)
        ]
        worker = WorkerFactory.create(
            name=name,
            running=round(line[-1][1]),
            load=line,
            memory=(80 + 9 * typical) * 1024**2,
            succeeded=4100 * typical,
            failed=31 * typical,
        )
        for number in range(worker.running):
            ExecutionFactory.create(
                task_name="shop.tasks.send_reminder",
                status="running",
                claimed_by=worker.pk,
                worker=name,
                started_at=now() - timedelta(seconds=number * 0.7),
            )
    led = {"leader": worker.pk, "leader_until": now() + timedelta(minutes=5)}
    Fleet.objects.update_or_create(pk=Fleet.THE_ONE, defaults=led)


def _fill_lists(batch: int) -> None:
    from django_agenda.clock import now
    from django_agenda.models import Execution, Operation, Schedule
    from tests import tasks

    rules = (("Reports", "0 9 * * 1-5", 40), ("Sweep the carts", "*/15 * * * *", 900))
    for place, (name, rule, typical) in enumerate(rules):
        schedule = Schedule.objects.cron(tasks.nothing, rule, name=name, labels=["shop"])
        for number in range(60):
            tick = now() - timedelta(minutes=15 * (60 - number))
            Execution.objects.create(
                schedule=schedule,
                task_name=schedule.task_name,
                tick_at=tick,
                due_at=tick,
                finished_at=tick,
                started_at=tick,
                status="failed" if number in (17, 41 + place) else "succeeded",
                lag_ms=typical + 37 * (number % 7),
                run_ms=400 + (number * 7919) % 1700,
            )
    Schedule.objects.interval(tasks.nothing, timedelta(seconds=90), name="Poll the bank")
    Schedule.objects.cron(tasks.nothing, "@monthly", name="Invoices").disable()
    Operation.objects.create(
        kind="retry",
        model="batch",
        subjects=[batch],
        filter_text="Newsletter",
        by="anna",
        reason="The mail server is back",
        status="running",
        started_at=now(),
        total=2900,
        done=1740,
        skipped=12,
    )

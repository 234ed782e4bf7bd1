"""Measure scatter, throughput, lateness and idleness on private servers.

    python -m benchmarks.engine [--database sqlite|postgres] [--count 100000] [NAME ...]

NAME is scatter, throughput, lateness or idle (default: all). Machines are noisy: every figure is
printed for each run, and the best and the median count. PostgreSQL runs with fsync.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.servers import postgres

RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--count", type=int, default=100_000)
    options = parser.parse_args()
    benches = {"scatter": scatter, "throughput": throughput, "lateness": lateness, "idle": idle}
    with servers(options.database):
        for name in options.names or benches:
            prepare()
            benches[name](options.count)


@contextmanager
def servers(database: str) -> Iterator[None]:
    from django_agenda.embedded import EmbeddedRedis

    with TemporaryDirectory(prefix="agenda-bench-") as folder, EmbeddedRedis() as redis:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
            "AGENDA_BENCH_DB": database,
            "AGENDA_BENCH_PLACE": folder,
            "AGENDA_BENCH_REDIS": redis.url,
        }
        with postgres(folder, enabled=database == "postgres"):
            import django

            django.setup()
            from django.core.management import call_command

            call_command("migrate", verbosity=0)
            python = sys.version.split()[0]
            print(f"database: {database}, Python {python}, Django {django.__version__}")
            yield


def prepare() -> None:
    """Empty the database and Redis."""
    from django.db import connection

    from django_agenda.broker.connection import client
    from django_agenda.models import Attempt, Batch, Execution, Worker

    for model in (Attempt, Execution, Batch, Worker):
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
            if connection.vendor == "postgresql":
                cursor.execute(f"VACUUM ANALYZE {model._meta.db_table}")
    client().flushall()


def scatter(count: int) -> None:
    """Scatter so many calls from a generator: rows in, Redis told, all counts right."""
    memory = []
    rates = []
    spread(1000, timedelta(hours=1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(RUNS):
        began = time.perf_counter()
        batch = spread(count, timedelta(hours=1))
        rates.append(count / (time.perf_counter() - began))
        memory.append((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
        assert (batch.enqueued, batch.scheduled, batch.status) == (count, count, "scheduled")
        prepare()
    show("scatter from a generator", rates, "rows/s")
    print(f"    peak memory +{memory[-1]:.1f} MB")


def throughput(count: int) -> None:
    """Run so many tasks that do nothing, all of them due: every outcome and count committed."""
    from django_agenda.models import Batch, Execution

    rates = []
    for _ in range(RUNS):
        batch = spread(count, timedelta(milliseconds=1))
        worker("--burst")
        batch = Batch.objects.get(pk=batch.pk)
        assert (batch.succeeded, batch.status) == (count, "succeeded"), batch.describe()
        started = Execution.objects.order_by("started_at").first()
        assert started is not None
        assert started.started_at is not None
        assert batch.finished_at is not None
        rates.append(count / (batch.finished_at - started.started_at).total_seconds())
        prepare()
    show("tasks that do nothing, one worker process", rates, "tasks/s")


def lateness(count: int) -> None:
    """Scatter 2 000 tasks over 20 s on an idle worker: how late does each start?"""
    from django_agenda.models import Execution

    with running_worker():
        batch = spread(2000, timedelta(seconds=20), start=datetime.now(UTC) + timedelta(seconds=2))
        wait_for(batch, 60)
    late = sorted(
        (row.started_at - row.due_at) / timedelta(milliseconds=1)
        for row in Execution.objects.filter(batch=batch)
        if row.started_at
    )
    early = sum(one < 0 for one in late)
    quantiles = {50: late[999], 95: late[1899], 99: late[1979]}
    figures = ", ".join(f"p{name} {value:.2f}" for name, value in quantiles.items())
    print(f"lateness of 2 000 over 20 s: {figures}, max {late[-1]:.2f} ms; {early} early")


def idle(count: int) -> None:
    """Leave a worker alone for 20 s: what does it cost?"""
    from django_agenda.broker.connection import client

    spread(1000, timedelta(hours=1), start=datetime.now(UTC) + timedelta(hours=1))
    with running_worker() as process:
        time.sleep(3)
        commands = client().info("stats")["total_commands_processed"]
        cpu = cpu_seconds(process.pid)
        time.sleep(20)
        used = (cpu_seconds(process.pid) - cpu) / 20
        sent = (client().info("stats")["total_commands_processed"] - commands - 1) / 20
    print(f"idle worker: {sent:.2f} Redis commands/s, {used:.2%} of a core")


def spread(count: int, over: timedelta, start: datetime | None = None) -> Any:
    from benchmarks.tasks import nothing
    from django_agenda import Agenda, Call

    calls = (Call(nothing, (number,)) for number in range(count))
    return Agenda(calls, count=count).scatter(over=over, start=start)


def worker(*options: str) -> None:
    subprocess.run([sys.executable, "-m", "django", "run_agenda_worker", *options], check=True)


@contextmanager
def running_worker() -> Iterator[subprocess.Popen[bytes]]:
    from django_agenda.models import Worker

    known = Worker.objects.count()
    process = subprocess.Popen([sys.executable, "-m", "django", "run_agenda_worker"])
    while Worker.objects.count() == known:
        time.sleep(0.05)
    time.sleep(0.5)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_for(batch: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while batch.finished_at is None and time.monotonic() < deadline:
        time.sleep(0.5)
        batch.refresh_from_db()


def cpu_seconds(pid: int) -> float:
    """Return what a process and its living children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(map(cpu_seconds, children(pid)))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def show(what: str, rates: list[float], unit: str) -> None:
    each = ", ".join(f"{rate:,.0f}" for rate in rates)
    best, middle = max(rates), statistics.median(rates)
    print(f"{what}: best {best:,.0f}, median {middle:,.0f} {unit}  ({each})")


if __name__ == "__main__":
    main()

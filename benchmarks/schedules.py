"""Measure the ticks of schedules on private servers.

    python -m benchmarks.schedules [--database sqlite|postgres] [--seconds 30] [NAME ...]

NAME is lateness (a tick a second, and 8 at one moment: how late does each run start?),
idle (no schedules, and 10 000 enabled ones of which none is due: what does a worker cost?) or
crowd (10 000 that are due at one moment: how long until all are fired?). Default: all.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from benchmarks.engine import cpu_seconds, prepare, running_worker, servers

MANY = 10_000
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    benches = {"lateness": lateness, "idle": idle, "crowd": crowd}
    with servers(options.database):
        for name in options.names or benches:
            prepare()
            benches[name](options.seconds)
            define(0, HOUR)


def define(count: int, interval: timedelta, **fields: object) -> None:
    """Write so many schedules at once, instead of those that are there."""
    from django_agenda.models import Schedule

    Schedule.objects.all().delete()
    Schedule.objects.bulk_create(
        Schedule(
            fingerprint=f"{number:064}",
            task_name="benchmarks.tasks.nothing",
            args=[number],
            kind="interval",
            interval=interval,
            next_at=datetime.now(UTC) + interval,
            **fields,
        )
        for number in range(count)
    )


def lateness(seconds: int) -> None:
    """Compare the start of each run with its tick."""
    from django_agenda.models import Execution, Schedule

    for count in (1, 8):
        begin = datetime.now(UTC) + 9 * SECOND
        define(count, SECOND, anchor=begin, overlap="allow")
        Schedule.objects.update(next_at=begin)
        with running_worker():
            time.sleep(seconds + 6)
        runs = Execution.objects.filter(started_at__isnull=False).values_list(
            "started_at", "tick_at"
        )
        late = [(started - tick) / timedelta(milliseconds=1) for started, tick in runs if tick]
        print(f"lateness, {count} a second for {seconds} s: {percentiles(late)}")
        prepare()


def idle(seconds: int) -> None:
    """Leave a worker alone that has much to think of, and nothing to do."""
    from django_agenda.broker.connection import client

    for count in (0, MANY):
        define(count, HOUR)
        with running_worker() as process:
            time.sleep(4)
            commands = client().info("stats")["total_commands_processed"]
            cpu = cpu_seconds(process.pid)
            time.sleep(seconds)
            used = (cpu_seconds(process.pid) - cpu) / seconds
            sent = (client().info("stats")["total_commands_processed"] - commands - 1) / seconds
        print(f"idle, {count:,} schedules: {used:.2%} of a core, {sent:.2f} Redis commands/s")


def crowd(seconds: int) -> None:
    """Let all tick at one moment: from it to the last row written."""
    from django_agenda.models import Execution, Schedule

    moment = datetime.now(UTC) + 6 * SECOND
    define(MANY, HOUR)
    Schedule.objects.update(next_at=moment)
    with running_worker():
        deadline = time.monotonic() + 60 + seconds
        while Execution.objects.count() < MANY and time.monotonic() < deadline:
            time.sleep(0.2)
    written = Execution.objects.order_by("-created_at").values_list("created_at", flat=True)[0]
    took = (written - moment).total_seconds()
    print(f"crowd: {Execution.objects.count():,} ticks of one moment fired within {took:.2f} s")


def percentiles(values: Iterable[float]) -> str:
    ordered = sorted(values)
    last = len(ordered) - 1
    shown = (f"p{share} {ordered[last * share // 100]:.1f}" for share in (50, 95, 99))
    return f"{', '.join(shown)}, max {ordered[-1]:.1f} ms of {len(ordered)}"


if __name__ == "__main__":
    main()

"""Measure pruning, auditing and surveying a large batch on private servers.

    python -m benchmarks.prune [--database sqlite|postgres] [--count 1000000]

PostgreSQL runs with fsync. Rows are made as a finished batch has them, without payload.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benchmarks.engine import servers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--count", type=int, default=1_000_000)
    options = parser.parse_args()
    with servers(options.database):
        measure(options.count)


def measure(count: int) -> None:
    from django.db import connection

    from django_agenda.clock import now
    from django_agenda.models import Batch, Execution
    from django_agenda.scheduling.audit import audit
    from django_agenda.scheduling.prune import Rules, prune
    from django_agenda.scheduling.survey import survey

    batch = fill(count)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as the server does by itself, a minute later
    timed("survey", count, lambda: survey("default"))
    drifts = timed("audit of counts", count, lambda: list(audit("default", repair=False)))
    assert not any(found for _, found in drifts)
    rules = Rules(executions=dict.fromkeys(Batch.ENDED, now() + timedelta(seconds=1)))
    steps: list[float] = []

    def walk() -> None:
        began = time.perf_counter()
        for _ in prune("default", rules):
            steps.append(time.perf_counter() - began)
            began = time.perf_counter()

    timed("prune", count, walk)
    batch.refresh_from_db()
    assert not Execution.objects.exists()
    assert batch.total == count
    print(f"    longest step {max(steps) * 1000:.0f} ms, rollup {len(batch.rollup):,} bytes")


def fill(count: int) -> Any:
    """Make a batch of so many executions, one in a hundred failed, a chunk at a time."""
    from django.db import connections

    from django_agenda.clock import now
    from django_agenda.models import Batch, Execution, bulk
    from django_agenda.models.identity import uuid7_hexes

    end = now()
    failed = count // 100
    batch = Batch.objects.create(
        start=end - timedelta(hours=1),
        over=timedelta(hours=1),
        total=count,
        succeeded=count - failed,
        failed=failed,
        finished_at=end,
        told_until=count,
    )
    text = bulk.moment_text(end, connections["default"])
    gap = 3_600_000 / count
    columns = ["id", "position", "planned_offset_ms", "lag_ms", "status"]
    columns += ["error_fingerprint", "error_message"]
    empty = ("error_class", "failed_stage", "held_by", "traceback", "worker", "labels")
    zero = ("priority", "crashes", "slot_offset_ms")
    moments = ("created_at", "due_at", "started_at", "finished_at")
    same: dict[str, Any] = {
        **dict.fromkeys(empty, ""),
        **dict.fromkeys(zero, 0),
        **dict.fromkeys(moments, text),
        **dict.fromkeys(("attempts", "max_attempts"), 1),
        "args": "[]",
        "kwargs": "{}",
        "queue_name": "default",
        "task_name": "shop.tasks.send_reminder",
        "batch": batch.pk,
        "run_ms": 40,
    }
    for first in range(0, count, 1000):
        rows = []
        for position, id_ in enumerate(uuid7_hexes(min(1000, count - first)), first):
            bad = ["failed", "0123456789abcdef", "no address"]
            outcome = bad if position % 100 == 99 else ["succeeded", "", ""]
            rows.append([id_, position, int(position * gap), position * 7919 % 400, *outcome])
        bulk.insert("default", Execution, columns, rows, constants=same)
    return batch


def timed(what: str, count: int, act: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = act()
    seconds = time.perf_counter() - began
    print(f"{what} of {count:,} rows: {seconds:.2f} s, {count / seconds:,.0f} rows/s")
    return result


if __name__ == "__main__":
    main()

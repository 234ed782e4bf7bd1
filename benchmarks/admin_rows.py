"""Fill tables for the benchmarks of the admin: a real history, multiplied by the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection

from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from django_agenda.scheduling.rollup import Member, Rollup
from tests.factories import Scene, flood

DAY = timedelta(days=1)
_TEMPLATE = 10_000


def swollen(total: int, *, scene: Scene, **fields: Any) -> Batch:
    """Make a batch of so many executions with keys, each of 10 000 repeated close to its plan."""
    template = min(total, _TEMPLATE)
    times = total // template
    batch = flood(template, over=DAY, scene=scene, **fields)
    if times > 1:
        gap = DAY / timedelta(milliseconds=1) / total
        own = {
            "id": _new_id(),
            "position": f"position * {times} + n",
            "key": f"'customer-{batch.pk}-' || (position * {times} + n)",
            "planned_offset_ms": f"planned_offset_ms + CAST(n * {gap} AS BIGINT)",
            "slot_offset_ms": f"slot_offset_ms + CAST(n * {gap} AS BIGINT)",
        }
        names = [field.column for field in Execution._meta.concrete_fields]
        values = [own.get(name, name) for name in names]
        run(
            f"CREATE TEMPORARY TABLE template AS SELECT * FROM {_table(Execution)}"
            f" WHERE batch_id = {batch.pk}",
            f"DELETE FROM {_table(Execution)} WHERE batch_id = {batch.pk}",
            f"INSERT INTO {_table(Execution)} ({', '.join(names)}) SELECT {', '.join(values)}"
            f" FROM template, ({_numbers(times)}) AS numbers ORDER BY position, n",
            "DROP TABLE template",
        )
        counts = (*Batch.COUNTS, "total", "enqueued", "told_until")
        values = [f"{name} = {name} * {times}" for name in counts]
        run(f"UPDATE {_table(Batch)} SET {', '.join(values)} WHERE id = {batch.pk}")
    batch.refresh_from_db()
    return batch


def pruned(batch: Batch) -> None:
    """Let a batch be one whose executions have been pruned."""
    rollup = Rollup.of(batch.over, "")
    rows = Execution.objects.filter(batch=batch)
    for row in rows.values_list(*Member._fields).iterator(chunk_size=10_000):
        rollup.add(Member(*row), batch.start)
    Batch.objects.filter(pk=batch.pk).update(rollup=rollup.text())
    run(f"DELETE FROM {_table(Execution)} WHERE batch_id = {batch.pk}")


def old_batches(total: int) -> None:
    """Make so many small batches of the last two years, which have ended; without executions."""
    for day in range(1, 101):
        flood(20, scene=Scene(elapsed=1.5, refused=0), moment=now() - DAY * day * 7)
    names = [
        field.column
        for field in Batch._meta.concrete_fields
        if field.column not in ("id", "status", "live_key")
    ]
    own = {"name": "name || ' ' || n", "key": "'wave-' || id || '-' || n"}
    values = [own.get(name, name) for name in names]
    run(
        f"INSERT INTO {_table(Batch)} ({', '.join(names)}) SELECT {', '.join(values)}"
        f" FROM {_table(Batch)}, ({_numbers(total // 100)}) AS numbers"
        f" WHERE total = 20 ORDER BY n, start"
    )


def settle() -> None:
    """Have statistics, as the server makes them by itself within minutes."""
    run("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def run(*statements: str) -> None:
    """Run statements, each for itself."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _table(model: Any) -> str:
    return str(model._meta.db_table)


def _numbers(count: int) -> str:
    return (
        "WITH RECURSIVE counter(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counter"
        f" WHERE n < {count - 1}) SELECT n FROM counter"
    )


def _new_id() -> str:
    if connection.vendor == "postgresql":
        return "gen_random_uuid()"
    return "lower(hex(randomblob(16)))"

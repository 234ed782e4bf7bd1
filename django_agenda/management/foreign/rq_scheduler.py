"""The tables of django-rq-scheduler and its successor, django-tasks-scheduler.

Their names have changed three times; their columns hardly. Moments and cron are in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_agenda.clock import now
from django_agenda.scheduling.rq_jobs import rq_jobs

from .cron_fields import from_croniter
from .found import CannotCarry, Found, Left
from .rows import Row, has_table, moment_of, queue_of, rows_of

_TABLES = {
    "scheduler_cronjob": "cron",
    "scheduler_crontask": "cron",
    "scheduler_repeatablejob": "interval",
    "scheduler_repeatabletask": "interval",
    "scheduler_scheduledjob": "once",
    "scheduler_scheduledtask": "once",
    "scheduler_task": "",
}
_TYPES = {"CronTaskType": "cron", "RepeatableTaskType": "interval", "OnceTaskType": "once"}
_ARGUMENTS = (
    ("scheduler_jobarg", "scheduler_jobkwarg"),
    ("scheduler_taskarg", "scheduler_taskkwarg"),
)
_READERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": lambda text: text.lower() == "true",
    "datetime": datetime.fromisoformat,
    "json": json.loads,
}
_Arguments = dict[tuple[int, int], tuple[list[Row], list[Row]]]


def read_rq_scheduler(connection: BaseDatabaseWrapper) -> Iterator[Found | Left]:
    """Give the tasks of every table that there is."""
    tables = [table for table in _TABLES if has_table(connection, table)]
    if not tables:
        return
    arguments = _arguments(connection)
    models = _content_types(connection)
    for table in tables:
        model = models.get(table.partition("_")[2], 0)
        for row in rows_of(connection, table):
            title = f"rq-scheduler {table} {row['id']} {row['name']!r}"
            try:
                given = arguments.get((model, row["id"]), ([], []))
                kind = _TABLES[table] or _TYPES.get(row["task_type"], "")
                yield _found(connection, title, row, kind, given)
            except CannotCarry as error:
                yield Left(title=title, why=str(error))


def read_rq_redis(url: str) -> Iterator[Left]:
    """Give what rq-scheduler keeps in Redis: none of it can be carried, for it is pickled."""
    for job in rq_jobs(url):
        yield Left(
            title=f"rq-scheduler job {job.id} in {job.queue_name!r}",
            why=f"its call and its rule are pickled, and nothing is unpickled here; it calls itself"
            f" {job.description!r}, and is due at {job.due_at.isoformat(' ', 'seconds')}",
        )


def _found(
    connection: BaseDatabaseWrapper,
    title: str,
    row: Row,
    kind: str,
    given: tuple[list[Row], list[Row]],
) -> Found:
    notes: list[str] = []
    if row.get("at_front"):
        notes.append("not carried: at_front; give it a priority")
    timeout = row.get("timeout")
    options: dict[str, Any] = {
        "name": row["name"],
        "args": [_value(one) for one in given[0]],
        "kwargs": {one["key"]: _value(one) for one in given[1]},
        "queue_name": queue_of(row.get("queue"), notes),
        "enabled": bool(row["enabled"]),
        "timeout": timeout if timeout and timeout > 0 else None,
        "overlap": "allow",
    }
    starts_at = moment_of(connection, row.get("scheduled_time"))
    rule: tuple[Any, ...]
    if kind == "cron":
        rule = (from_croniter(row["cron_string"] or ""), "UTC")
    elif kind == "interval":
        length = _length(row)
        rule = (length,)
        options |= {"starts_at": starts_at, "max_runs": _runs(row, starts_at, length)}
    elif kind == "once":
        if starts_at is None or starts_at < now():
            raise CannotCarry("its moment has passed, and then it is not run any more")
        rule = (starts_at,)
    else:
        raise CannotCarry(f"its type {row['task_type']!r} is not known")
    return Found(
        title=title, task_name=row["callable"], kind=kind, rule=rule, options=options, notes=notes
    )


def _length(row: Row) -> timedelta:
    try:
        length = timedelta(**{str(row["interval_unit"]): int(row["interval"])})
    except (TypeError, ValueError, OverflowError):
        length = timedelta(0)
    if length <= timedelta(0):
        raise CannotCarry(f"its interval is none: {row['interval']} {row['interval_unit']}")
    return length


def _runs(row: Row, starts_at: datetime | None, length: timedelta) -> int | None:
    """Return how many runs are left: one at its start, `repeat` more, less what has passed."""
    repeat = row.get("repeat")
    if repeat is None:
        return None
    passed = 0
    if starts_at is not None and starts_at < now():
        passed = -((starts_at - now()) // length)
    if repeat < passed:
        raise CannotCarry("it has run as often as it was to")
    return int(repeat) - passed + 1


def _value(row: Row) -> Any:
    kind, text = row["arg_type"], row["val"]
    if kind not in _READERS:
        raise CannotCarry(f"an argument is a {kind}, {text!r:.100}, which is called at each run")
    try:
        return _READERS[kind](text)
    except ValueError:
        raise CannotCarry(f"an argument is no {kind}: {text!r:.100}") from None


def _content_types(connection: BaseDatabaseWrapper) -> dict[str, int]:
    """Return the ids of its models, by their names in small letters."""
    rows = rows_of(connection, "django_content_type")
    return {row["model"]: row["id"] for row in rows if row["app_label"] == "scheduler"}


def _arguments(connection: BaseDatabaseWrapper) -> _Arguments:
    """Return what is given by place and by name, for each model and row."""
    found: _Arguments = {}
    for tables in _ARGUMENTS:
        for place, table in enumerate(tables):
            if not has_table(connection, table):
                continue
            for row in rows_of(connection, table):
                key = (row["content_type_id"], row["object_id"])
                found.setdefault(key, ([], []))[place].append(row)
    return found

"""The tables of django-celery-beat."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from .cron_fields import from_celery
from .found import CannotCarry, Found, Left
from .rows import Row, has_table, json_of, moment_of, queue_of, rows_of

_TASKS = "django_celery_beat_periodictask"
_RULES = {
    "crontab": "django_celery_beat_crontabschedule",
    "interval": "django_celery_beat_intervalschedule",
    "clocked": "django_celery_beat_clockedschedule",
    "solar": "django_celery_beat_solarschedule",
}
_NOTED = {
    "exchange": "its exchange",
    "routing_key": "its routing key",
    "priority": "its priority, whose order depends on Celery's broker",
    "expire_seconds": "its expire_seconds: say @task(expires=)",
}


def read_celery_beat(connection: BaseDatabaseWrapper) -> Iterator[Found | Left]:
    """Give the periodic tasks."""
    if not has_table(connection, _TASKS):
        return
    rules = {
        kind: {row["id"]: row for row in rows_of(connection, table)}
        for kind, table in _RULES.items()
        if has_table(connection, table)
    }
    for row in rows_of(connection, _TASKS):
        title = f"celery-beat {row['id']} {row['name']!r}"
        try:
            yield _found(connection, title, row, rules)
        except CannotCarry as error:
            yield Left(title=title, why=str(error))


def _found(
    connection: BaseDatabaseWrapper, title: str, row: Row, rules: dict[str, dict[int, Row]]
) -> Found:
    if str(row["task"]).startswith("celery."):
        raise CannotCarry(f"{row['task']} belongs to Celery itself")
    kind, rule = _rule(row, rules)
    notes = [f"not carried: {words}" for name, words in _NOTED.items() if row.get(name) is not None]
    if row.get("headers") not in (None, "", "{}"):
        notes.append("not carried: its headers")
    starts_at = moment_of(connection, row.get("start_time"))
    last_at = moment_of(connection, row.get("last_run_at"))
    options: dict[str, Any] = {
        "name": row["name"],
        "description": row.get("description") or "",
        "args": json_of("args", row["args"], list),
        "kwargs": json_of("kwargs", row["kwargs"], dict),
        "queue_name": queue_of(row.get("queue"), notes),
        "enabled": bool(row["enabled"]),
        "starts_at": starts_at,
        "ends_at": moment_of(connection, row.get("expires")),
        "max_runs": 1 if row.get("one_off") else None,
        "overlap": "allow",
    }
    if row.get("one_off") and row["total_run_count"]:
        raise CannotCarry("it was to run once, and has run")
    if kind == "interval":
        # The grid goes on where it was.
        options["starts_at"] = last_at or starts_at
        return _made(title, row, kind, (_length(rule),), options, notes)
    if kind == "crontab":
        fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
        expression = from_celery(*(str(rule[name]) for name in fields))
        zone = str(rule.get("timezone") or "UTC")
        return _made(title, row, "cron", (expression, zone), options, notes)
    if row["total_run_count"]:
        raise CannotCarry("it was to run once, and has run")
    at = moment_of(connection, rule["clocked_time"])
    return _made(title, row, "once", (at,), options | {"max_runs": None}, notes)


def _rule(row: Row, rules: dict[str, dict[int, Row]]) -> tuple[str, Row]:
    for kind in _RULES:
        key = row.get(f"{kind}_id")
        if key is None:
            continue
        if kind == "solar":
            raise CannotCarry("it goes by the sun, and there are no such schedules here")
        if key in rules.get(kind, {}):
            return kind, rules[kind][key]
    raise CannotCarry("it has no rule")


def _length(rule: Row) -> timedelta:
    try:
        length = timedelta(**{str(rule["period"]): int(rule["every"])})
    except (TypeError, ValueError, OverflowError):
        raise CannotCarry(f"its interval is none: {rule['every']} {rule['period']}") from None
    if length <= timedelta(0):
        raise CannotCarry(f"its interval is none: {rule['every']} {rule['period']}")
    return length


def _made(
    title: str,
    row: Row,
    kind: str,
    rule: tuple[Any, ...],
    options: dict[str, Any],
    notes: list[str],
) -> Found:
    return Found(
        title=title, task_name=row["task"], kind=kind, rule=rule, options=options, notes=notes
    )

"""The table of django-q and django-q2, whose days are those of TIME_ZONE."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.timezone import get_default_timezone, get_default_timezone_name

from .cron_fields import from_croniter
from .found import CannotCarry, Found, Left
from .rows import Row, has_table, moment_of, queue_of, rows_of

_TABLE = "django_q_schedule"
_LAST_SAFE_DAY = 28
_LENGTHS = {"H": timedelta(hours=1), "BW": timedelta(weeks=2)}
_MONTHS = {"M": 1, "BM": 2, "Q": 3, "Y": 12}


def read_django_q(connection: BaseDatabaseWrapper) -> Iterator[Found | Left]:
    """Give the schedules."""
    if not has_table(connection, _TABLE):
        return
    for row in rows_of(connection, _TABLE):
        title = f"django-q {row['id']} {row.get('name') or row['func']!r}"
        try:
            yield _found(connection, title, row)
        except CannotCarry as error:
            yield Left(title=title, why=str(error))


def _found(connection: BaseDatabaseWrapper, title: str, row: Row) -> Found:
    if row["repeats"] == 0:
        raise CannotCarry("it has run as often as it was to")
    next_run = moment_of(connection, row["next_run"])
    notes: list[str] = []
    kwargs = _kwargs(row["kwargs"])
    for name, value in (
        ("hook", row.get("hook")),
        ("intended_date_kwarg", row.get("intended_date_kwarg")),
        ("q_options", kwargs.pop("q_options", None)),
    ):
        if value:
            notes.append(f"not carried: its {name} {value!r:.80}")
    kind, rule, starts_at = _rule(row, next_run, notes)
    options: dict[str, Any] = {
        "name": row.get("name"),
        "args": _args(row["args"]),
        "kwargs": kwargs,
        "queue_name": queue_of(row.get("cluster"), notes),
        "max_runs": row["repeats"] if row["repeats"] > 0 and kind != "once" else None,
        "starts_at": starts_at,
        "overlap": "allow",
    }
    return Found(
        title=title, task_name=row["func"], kind=kind, rule=rule, options=options, notes=notes
    )


def _rule(
    row: Row, next_run: datetime | None, notes: list[str]
) -> tuple[str, tuple[Any, ...], datetime | None]:
    """Return the kind and the rule, and where its grid begins."""
    kind, zone = row["schedule_type"], get_default_timezone_name()
    if kind == "C":
        return "cron", (from_croniter(row["cron"] or ""), zone), None
    if next_run is None:
        raise CannotCarry("it has no next run")
    if kind == "O":
        return "once", (next_run,), None
    if kind == "I":
        return "interval", (timedelta(minutes=row["minutes"] or 1),), next_run
    if kind in _LENGTHS:
        if kind == "BW":
            notes.append("runs every 14 days to the second, also when clocks are changed")
        return "interval", (_LENGTHS[kind],), next_run
    return "cron", (_calendar(kind, next_run.astimezone(get_default_timezone())), zone), next_run


def _calendar(kind: str, first: datetime) -> str:
    """Return the cron expression of what follows the calendar."""
    time = f"{first.minute} {first.hour}"
    if first.second:
        time = f"{first.second} {time}"
    if kind == "D":
        return f"{time} * * *"
    if kind == "W":
        return f"{time} * * {first.isoweekday() % 7}"
    if kind not in _MONTHS:
        raise CannotCarry(f"its type {kind!r} is not known")
    if first.day > _LAST_SAFE_DAY:
        raise CannotCarry(
            f"it runs on day {first.day} of a month, which not every month has; a cron schedule"
            " with 'L' runs on the last day"
        )
    step = _MONTHS[kind]
    months = sorted((first.month - 1 + more) % 12 + 1 for more in range(0, 12, step))
    return f"{time} {first.day} {'*' if step == 1 else ','.join(map(str, months))} *"


def _args(text: str | None) -> list[Any]:
    if not text:
        return []
    value = _literal("args", text)
    return list(value) if isinstance(value, tuple) else [value]


def _kwargs(text: str | None) -> dict[str, Any]:
    """Read a dict, or what stands in the parentheses of a call."""
    if not text:
        return {}
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = _of_call(text)
    if not isinstance(value, dict):
        raise CannotCarry(f"its kwargs are not understood: {text!r:.100}")
    return value


def _of_call(text: str) -> dict[str, Any]:
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise CannotCarry(f"its kwargs are not understood: {text!r:.100}") from None
    if not isinstance(call, ast.Call) or call.args or any(one.arg is None for one in call.keywords):
        raise CannotCarry(f"its kwargs are not understood: {text!r:.100}")
    return {str(one.arg): _literal("kwargs", one.value) for one in call.keywords}


def _literal(column: str, node: str | ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        shown = node if isinstance(node, str) else ast.unparse(node)
        raise CannotCarry(f"its {column} are no literals: {shown!r:.100}") from None

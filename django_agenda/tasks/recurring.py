"""`@every` and `@cron`: what is to run again and again, declared beside the task.

A declaration only writes down what is wanted: this module is imported before the apps are ready.
Workers make schedules of them when they start (scheduling.declare).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, ParamSpec, TypedDict, TypeVar, Unpack

from django_agenda.policies.timeout import read_stored
from django_agenda.timing.cron import Cron

from .payload import encode_arguments
from .registry import register
from .schedule_options import read_options, read_text
from .task import Task

P = ParamSpec("P")
R = TypeVar("R")


class ScheduleOptions(TypedDict, total=False):
    """Say what every kind of schedule takes, besides its task and its rule."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    name: str | None
    enabled: bool
    description: str
    labels: Sequence[str]
    queue_name: str | None
    priority: int | None
    max_attempts: int | None
    backoff: Any
    timeout: timedelta | float | None
    starts_at: datetime | None
    ends_at: datetime | None
    jitter: timedelta | float | None
    max_runs: int | None
    overlap: Literal["allow", "skip", "queue"]
    misfire: Literal["skip", "once", "all"]
    catch_up: int
    over: timedelta | float | None


class Declaration(NamedTuple):
    """Hold what a decorator was given, as the definition of a schedule takes it."""

    task: Task[..., Any]
    kind: str
    rule: tuple[Any, ...]
    options: ScheduleOptions


_declared: list[Declaration] = []


def every(
    interval: timedelta | float, **options: Unpack[ScheduleOptions]
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Run a task every so often, a timedelta or seconds; see ScheduleQuerySet.interval()."""
    length = read_stored("interval", interval)
    if length is None:
        raise TypeError("'interval' must be a timedelta or a number of seconds, not None")
    return _declaring("interval", (length,), options)


def cron(
    expression: str, *, timezone: Any = None, **options: Unpack[ScheduleOptions]
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Run a task whenever a cron expression says; see ScheduleQuerySet.cron()."""
    Cron(expression, "UTC" if timezone is None else str(timezone))
    return _declaring("cron", (expression, timezone), options)


def declared() -> list[Declaration]:
    """Return what was declared in this process."""
    return list(_declared)


def _declaring(
    kind: str, rule: tuple[Any, ...], options: ScheduleOptions
) -> Callable[[Callable[P, R]], Task[P, R]]:
    unknown = set(options) - set(ScheduleOptions.__annotations__)
    if unknown:
        raise TypeError(f"A schedule has no option {min(unknown)!r}")

    _check(options)

    def declare(function: Callable[P, R]) -> Task[P, R]:
        task = function if isinstance(function, Task) else register(Task(function))
        _declared.append(Declaration(task, kind, rule, options))
        return task

    return declare


def _check(options: ScheduleOptions) -> None:
    """Refuse at once what needs no database to be known as wrong."""
    given: dict[str, Any] = dict(options)
    encode_arguments(given.pop("args", ()), given.pop("kwargs", None) or {})
    read_text("name", given.pop("name", None), 255)
    if not isinstance(enabled := given.pop("enabled", True), bool):
        raise TypeError(f"'enabled' must be True or False, not {enabled!r}")
    read_options(**given)

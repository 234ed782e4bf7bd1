"""Write a schedule down, or find the one that says the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from django_agenda.clock import now
from django_agenda.models.schedule import Schedule

from .definition import Definition, read_definition
from .wake import wake_after_commit


def define(
    using: str,
    task: Any,
    kind: str,
    rule: tuple[Any, ...],
    options: Mapping[str, Any],
) -> Schedule:
    """See ScheduleQuerySet."""
    definition = read_definition(task, kind, rule, options)
    return find_or_write(using, definition)[0]


def find_or_write(
    using: str, definition: Definition, *, is_declared: bool = False
) -> tuple[Schedule, bool]:
    """Return the schedule of that definition, and whether it is new."""
    same = Schedule.objects.using(using).filter(fingerprint=definition.fingerprint)
    while True:
        found = same.first()
        if found is not None:
            return found, False
        try:
            with transaction.atomic(using):
                return _write(using, definition, is_declared=is_declared), True
        except IntegrityError:
            # Another process was faster; its schedule may even have been deleted by now.
            continue


def _write(using: str, definition: Definition, *, is_declared: bool) -> Schedule:
    schedule = Schedule(
        fingerprint=definition.fingerprint,
        is_declared=is_declared,
        enabled=definition.enabled,
        **definition.identity,
        **definition.options,
    )
    if schedule.enabled:
        schedule.next_at = first_tick(schedule)
        if schedule.next_at is None:
            schedule.enabled, schedule.ended_at = False, now()
    schedule.save(using=using, force_insert=True)
    if schedule.next_at is not None:
        wake_after_commit(using)
    return schedule


def first_tick(schedule: Schedule) -> datetime | None:
    """Return the tick with which it begins when it is enabled now; None when there is none.

    What is to run once runs even when its moment has passed, unless it has run already.
    """
    if schedule.is_used_up:
        return None
    if schedule.kind == Schedule.Kind.ONCE:
        is_over = schedule.ends_at is not None and schedule.anchor > schedule.ends_at
        return None if is_over else schedule.anchor
    # After a clock was set back, a tick that was fired already would come again.
    return schedule.tick_after(max(now(), schedule.last_at or schedule.created_at))

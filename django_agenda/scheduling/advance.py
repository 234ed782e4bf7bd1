"""Give schedules their next tick, each only if nobody has changed it since it was read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import connections

from django_agenda.models import bulk
from django_agenda.models.schedule import Schedule


def advance(
    using: str,
    moments: Mapping[Schedule, datetime | None],
    changes: Mapping[str, str] | None = None,
) -> set[int]:
    """Write the moments in one statement; return the keys of those that were still the same.

    `changes` are further columns, as SQL over `e.`. Must run inside a transaction.
    """
    if not moments:
        return set()
    connection = connections[using]
    rows = [
        [schedule.pk, schedule.version, bulk.moment_text(moments[schedule], connection)]
        for schedule in sorted(moments, key=lambda schedule: int(schedule.pk))
    ]
    changed = bulk.update(
        using,
        Schedule,
        ("id", "version", "next_at"),
        rows,
        changes={"next_at": "x.next_at", **(changes or {}), "version": "e.version + 1"},
        guard="e.version = x.version",
    )
    return {int(row[0]) for row in changed}

"""What a claim did not take, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connections

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.models.execution import Execution


def refused(using: str, ids: Sequence[str], moment: datetime) -> tuple[list[Entry], list[str]]:
    """Look at ids whose claim was refused: return those that wait for later, and the expired."""
    waiting = Execution.objects.using(using).filter(
        pk__in=list(ids), status__in=Execution.WAITING, held_by=""
    )
    # MariaDB's claim passes over a row that another transaction has locked at this instant.
    was_skipped = connections[using].vendor == "mysql"
    later: list[Entry] = []
    expired: list[str] = []
    for row in waiting.only("id", "queue_name", "due_at", "priority", "expires_at"):
        if row.expires_at is not None and row.expires_at < moment:
            expired.append(row.pk.hex)
        elif row.due_at > moment or was_skipped:
            later.append(Entry(row.pk.hex, row.queue_name, due_ms(row.due_at), row.priority))
    return later, expired

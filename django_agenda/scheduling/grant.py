"""Do with a schedule what a run of it has asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from django_agenda.clock import now
from django_agenda.models.schedule import Schedule
from django_agenda.tasks.context import Wish
from django_agenda.tasks.payload import decode

from .disable import disable
from .wake import wake_after_commit


def grant(using: str, wishes: Sequence[tuple[int, Wish]]) -> None:
    """Grant them in order; must run in the transaction that records their attempts.

    A schedule that was disabled or deleted meanwhile stays so.
    """
    for key, wish in wishes:
        mine = Schedule.objects.using(using).filter(pk=key)
        if wish.stops:
            disable(mine)
            continue
        changes: dict[str, Any] = {
            name: decode(text)
            for name, text in (("args", wish.args), ("kwargs", wish.kwargs))
            if text is not None
        }
        if changes:
            mine.update(version=F("version") + 1, **changes)
        if wish.at is not None:
            _move(using, key, wish.at)


def _move(using: str, key: int, at: datetime) -> None:
    was_once = Q(kind=Schedule.Kind.ONCE, ended_at__isnull=False)
    lasts = Q(ends_at=None) | Q(ends_at__gte=at)
    mine = Schedule.objects.using(using).filter(lasts, Q(enabled=True) | was_once, pk=key)
    # What has passed is now; before its last tick a schedule fires nothing.
    mine.update(version=F("version") + 1, enabled=True, ended_at=None, next_at=max(at, now()))
    wake_after_commit(using)

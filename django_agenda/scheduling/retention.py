"""Prune by itself what the settings call old: a little at a time, and then rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from django_agenda.clock import monotonic, now
from django_agenda.conf import Settings, get_settings
from django_agenda.models.batch import Batch

from .gates import prune_gates
from .prune import Rules, prune

# Seconds: what one look may cost, and how long after a whole walk the next one begins.
BUDGET = 0.2
REST = 600.0
FIRST_REST = 60.0

_BAD = ("failed", "missed")


class Retention:
    """Go on with one walk over the tables, at each look for some tenths of a second."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._steps: Iterator[Counter[str]] | None = None
        self._rests_until = monotonic() + FIRST_REST

    def prune(self) -> int:
        """Prune some chunks if it is time to; return how many rows went."""
        began = monotonic()
        if began < self._rests_until:
            return 0
        steps = self._steps or prune(self._using, rules_of(get_settings(), now()))
        self._steps = None  # so that a walk that fails is begun anew
        count = 0
        for gone in steps:
            count += gone.total()
            if monotonic() - began > BUDGET:
                self._steps = steps
                return count
        prune_gates(self._using)
        self._rests_until = monotonic() + REST
        return count


def rules_of(settings: Settings, moment: datetime) -> Rules:
    """Return what the settings call old at that moment."""
    executions = {}
    for status in Batch.ENDED:
        kept = settings.RETENTION_FAILED if status in _BAD else settings.RETENTION
        before = _before(kept, moment)
        if before is not None:
            executions[status] = before
    return Rules(
        executions=executions,
        batches=_before(settings.RETENTION_BATCHES, moment),
        workers=_before(settings.RETENTION_WORKERS, moment),
    )


def _before(kept: timedelta | None, moment: datetime) -> datetime | None:
    return None if kept is None else moment - kept

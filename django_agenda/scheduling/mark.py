"""Write down on a batch that it is paused, or no longer: the one row that decides."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.db.models import F

from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.signals import batch_paused


def mark_paused(using: str, batch_id: int, reason: str) -> bool:
    """Write down that a batch is paused; tell whether it was not, and had not ended."""
    unpaused = Batch.objects.using(using).filter(pk=batch_id, paused_at=None, finished_at=None)
    moment = now()
    if not unpaused.update(
        paused_at=moment, pause_reason=reason, settling_since=moment, version=F("version") + 1
    ):
        return False
    announce = partial(batch_paused.send_robust, Batch, batch_id=batch_id, reason=reason)
    transaction.on_commit(announce, using=using)
    return True


def mark_resumed(using: str, batch_id: int) -> None:
    """Write down that nothing holds it; what failed until now does not count for max_failures."""
    Batch.objects.using(using).filter(pk=batch_id).update(
        paused_at=None,
        pause_reason="",
        settling_since=now(),
        forgiven_failures=F("failed") + F("missed"),
        forgiven_outcomes=F("succeeded") + F("failed") + F("missed"),
        version=F("version") + 1,
    )

"""What the options of agenda_prune ask for."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models import Batch
from django_agenda.scheduling.prune import Rules
from django_agenda.scheduling.retention import rules_of


def rules_from(options: dict[str, Any]) -> Rules:
    """Return what the options call old, or else the settings."""
    wanted = options["status"] or Batch.ENDED
    if options["older_than"] is None:
        if options["batches"]:
            raise CommandError("--batches needs --older-than.")
        rules = rules_of(get_settings(), now())
        if not options["status"]:
            return rules
        return Rules(executions={s: m for s, m in rules.executions.items() if s in wanted})
    before = now() - options["older_than"]
    batches = before if options["batches"] else None
    return Rules(executions=dict.fromkeys(wanted, before), batches=batches)


def check_alone(options: dict[str, Any]) -> None:
    """End the command with a sentence when a batch is given with what is not heeded beside it."""
    for name in ("older_than", "status", "batches"):
        if options[name] not in (None, [], False):
            option = name.replace("_", "-")
            raise CommandError(
                f"--batch deletes that batch whatever its age, so --{option} cannot be given too."
            )


def ended_batch(using: str, pk: int) -> Batch:
    """Return the batch, or end the command with a sentence."""
    batch = Batch.objects.using(using).filter(pk=pk).first()
    if batch is None:
        raise CommandError(f"There is no batch {pk}.")
    if batch.finished_at is None:
        raise CommandError(f"Batch {pk} has not ended ({batch.describe()}): cancel it first.")
    return batch

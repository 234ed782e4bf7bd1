"""An order comes in: plan everything that follows from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from django_agenda import Agenda

from . import tasks
from .models import Order

FOLLOW_UP = timedelta(days=14)


@receiver(post_save, sender=Order)
def scatter_follow_ups(instance: Order, created: bool, raw: bool, **_: Any) -> None:
    """Reserve the goods now, remind to pay after a week, ask for a review after two."""
    if not created or raw:
        return
    agenda = Agenda()
    agenda.add(tasks.reserve_goods)(instance.pk)
    agenda.add(tasks.remind_to_pay)(instance.pk)
    agenda.add(tasks.ask_for_review)(instance.pk)
    agenda.scatter(over=FOLLOW_UP, name=f"Follow-ups of order {instance.pk}")

"""Since when workers have been heard without a gap."""

from __future__ import annotations

from django.db import models

from django_agenda.clock import now


class Streak(models.Model):
    """Hold the one row by which an outage of the database is told from a lost worker.

    After an outage every lease has lapsed, and nobody is to blame. `since` begins anew after any
    gap between the signs of life of all workers together. Both moments are the database's.
    """

    THE_ONE = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=THE_ONE, editable=False)
    since = models.DateTimeField(default=now)
    last_at = models.DateTimeField(default=now)

    class Meta:
        verbose_name = "streak"

    def __str__(self) -> str:
        return f"heard since {self.since}"

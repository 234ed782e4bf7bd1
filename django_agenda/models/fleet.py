"""What is known of all workers together."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now


class Fleet(models.Model):
    """Hold one row: since when workers have been heard without a gap, and who does the chores.

    After an outage of the database every lease has lapsed, and nobody is to blame: `heard_since`
    begins anew after any gap between the signs of life of all workers together. All moments are
    the database's.
    """

    THE_ONE = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=THE_ONE, editable=False)
    heard_since = models.DateTimeField(_("heard since"), default=now)
    heard_at = models.DateTimeField(_("last heard"), default=now)
    leader = models.UUIDField(_("leader"), null=True)
    leader_until = models.DateTimeField(_("leads until"), null=True)

    class Meta:
        verbose_name = _("fleet")
        verbose_name_plural = _("fleets")

    def __str__(self) -> str:
        return f"heard since {self.heard_since}"

"""The queues that nothing is claimed from."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now


class PausedQueue(models.Model):
    """Hold one queue back: while the row stands, no claim takes anything of that queue.

    The claim itself looks here; the set of the same names in Redis only spares it the pops.
    """

    name = models.CharField(_("queue"), max_length=64, primary_key=True)
    paused_at = models.DateTimeField(_("paused"), default=now)

    class Meta:
        verbose_name = _("paused queue")
        verbose_name_plural = _("paused queues")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

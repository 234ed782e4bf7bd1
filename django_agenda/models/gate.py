"""What executions have to pass before they run: one gate for each policy and value."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now

from .fields import PayloadField, SparseIndex


class Gate(models.Model):
    """Be the lock under which a policy is judged, and keep what it has to remember.

    The id is a digest of the kind, the task and the values of its `by`, so nobody has to look for
    it. `size` is the `n` of a limit as it was last claimed by; `waiting_since` is set while
    executions may wait for a slot of it. `label` names the values, without secrets.
    """

    class Kind(models.TextChoices):
        """Say which policy it is of."""

        CONCURRENCY = "concurrency", _("concurrency")
        RATE = "rate", _("rate")
        COOLDOWN = "cooldown", _("cooldown")
        DEBOUNCE = "debounce", _("debounce")

    id = models.UUIDField(primary_key=True, editable=False)
    kind = models.CharField(_("policy"), max_length=11, choices=Kind.choices)
    task_name = models.CharField(_("task"), max_length=255)
    label = models.CharField(_("of"), max_length=255, blank=True, default="")
    size = models.PositiveIntegerField(default=0)
    waiting_since = models.DateTimeField(_("waited for since"), null=True)
    state = PayloadField(null=True, editable=False)
    used_at = models.DateTimeField(_("used"), default=now)

    class Meta:
        verbose_name = _("gate")
        verbose_name_plural = _("gates")
        default_permissions = ()
        indexes = (
            SparseIndex(
                "waiting_since",
                name="agenda_gate_waiting",
                where=models.Q(waiting_since__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.label or self.task_name

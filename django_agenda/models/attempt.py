"""One try at an execution."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .execution import Execution
from .fields import SparseIndex


class Attempt(models.Model):
    """Hold how one try ended; an execution that succeeds at once has no such row.

    `retried` is one that ended itself by `current.retry()`; its error is why, if there was one.
    """

    class Outcome(models.TextChoices):
        """Say how an attempt ended."""

        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        TIMED_OUT = "timed_out", _("timed out")
        RETRIED = "retried", _("asked for another")
        CANCELLED = "cancelled", _("cancelled")
        LOST = "lost", _("worker lost")

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(
        Execution,
        models.CASCADE,
        related_name="attempt_set",
        db_index=False,
        verbose_name=_("execution"),
    )
    number = models.PositiveIntegerField(_("attempt"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices)
    worker = models.CharField(_("worker"), max_length=128, blank=True, default="")
    due_at = models.DateTimeField(_("due"), null=True)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"))
    lag_ms = models.BigIntegerField(_("lateness"), null=True)
    run_ms = models.BigIntegerField(_("run time"), null=True)
    error_class = models.CharField(_("error"), max_length=255, blank=True, default="")
    error_message = models.TextField(_("error message"), blank=True, default="")
    traceback = models.TextField(_("traceback"), blank=True, default="")

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("execution", "number")
        indexes = (
            models.Index(fields=("execution", "number"), name="agenda_attempt_number"),
            SparseIndex(
                "outcome", "worker", name="agenda_attempt_lost", where=models.Q(outcome="lost")
            ),
        )

    def __str__(self) -> str:
        return f"{self.execution_id} #{self.number}"

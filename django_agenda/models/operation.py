"""What somebody asked for in the admin that is too much for one request."""

from __future__ import annotations

from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.db import models
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now

from .fields import PayloadField


class Operation(models.Model):
    """Hold one action on many targets: who wants it and why, and how far it has come.

    A worker carries it out, part by part. `done` counts what was changed, `skipped` what no longer
    fitted when its turn came, `failed` what was refused with `error`; together they reach `total`.
    `by_id` and `by` are a user's key and name, as text: a user may be deleted. `error_fingerprint`
    narrows it to one kind of error; `spread` is how many targets share the window of its wish.
    """

    class Status(models.TextChoices):
        """Say where an operation stands."""

        WAITING = "waiting", pgettext_lazy("of an operation", "waiting")
        RUNNING = "running", _("running")
        FINISHED = "finished", pgettext_lazy("of an operation", "finished")
        ABORTED = "aborted", _("aborted")

    OPEN: ClassVar = (Status.WAITING, Status.RUNNING)

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(_("kind"), max_length=32)
    model = models.CharField(max_length=32, editable=False)
    filter_text = models.TextField(_("chosen by"), blank=True, default="")
    subjects: Any = PayloadField(default=list, editable=False)
    wish: Any = PayloadField(default=dict, editable=False)
    spread = models.PositiveIntegerField(default=0, editable=False)
    error_fingerprint = models.CharField(max_length=16, blank=True, default="")
    details = models.TextField(_("details"), blank=True, default="")
    reason = models.CharField(_("reason"), max_length=300, blank=True, default="")
    by = models.CharField(_("by"), max_length=255, blank=True, default="")
    by_id = models.CharField(max_length=64, blank=True, default="", editable=False)
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.WAITING
    )
    total = models.PositiveIntegerField(_("total"), default=0)
    done = models.PositiveIntegerField(_("done"), default=0)
    skipped = models.PositiveIntegerField(_("skipped"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    error = models.TextField(_("error"), blank=True, default="")
    created_at = models.DateTimeField(_("created"), default=now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("ended"), null=True, blank=True)
    abort_requested_at = models.DateTimeField(null=True, blank=True, editable=False)
    execution_id = models.UUIDField(null=True, editable=False)

    class Meta:
        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        ordering = ("-id",)
        default_permissions = ("view",)
        permissions = (("abort_operation", "Can abort"),)

    def __str__(self) -> str:
        return gettext("operation %(number)s") % {"number": self.pk}

    @property
    def is_open(self) -> bool:
        """Tell whether it has not ended."""
        return self.status in self.OPEN

    @property
    def progress(self) -> float:
        """Return the share that was looked at, 0 to 1; nothing to do is complete."""
        return (self.done + self.skipped + self.failed) / self.total if self.total else 1.0

    def abort(self) -> bool:
        """Begin no further part of it; what is done stays done. Tell whether it was open.

        One that waits ends at once; one that is under way after the part in hand.
        """
        same = type(self)._default_manager.using(self._state.db).filter(pk=self.pk)
        moment = now()
        ended = same.filter(status=self.Status.WAITING).update(
            status=self.Status.ABORTED, abort_requested_at=moment, finished_at=moment
        )
        asked = same.filter(status=self.Status.RUNNING, abort_requested_at=None)
        count = ended or asked.update(abort_requested_at=moment)
        self.refresh_from_db()
        return bool(count)

    async def aabort(self) -> bool:
        """See abort()."""
        return await sync_to_async(self.abort)()


class OperationPart(models.Model):
    """Hold the targets of one step; `first` is the place of the first among all.

    What it changes and `done_at` are one transaction, so it is carried out once, whoever dies.
    Only a part of whole batches is not: their verbs can be repeated.
    """

    operation = models.ForeignKey(Operation, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    first = models.PositiveIntegerField(default=0)
    count = models.PositiveIntegerField()
    is_of_batches = models.BooleanField(default=False)
    targets: Any = PayloadField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("part of an operation")
        verbose_name_plural = _("parts of operations")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("operation", "number"), name="agenda_operation_part"),
        )

    def __str__(self) -> str:
        return f"part {self.number} of operation {self.operation_id}"

"""The processes that run executions."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now

from .identity import uuid7


class Worker(models.Model):
    """Hold one incarnation of a worker process.

    The id is new at every start and is what claims are fenced by: a name can come back, an
    incarnation cannot. `beat_at` is its lease, written and judged by the database's clock only.
    """

    class Status(models.TextChoices):
        """Say what a worker does; `lost` was declared so after its lease lapsed."""

        ACTIVE = "active", _("active")
        DRAINING = "draining", _("draining")
        STOPPED = "stopped", _("stopped")
        LOST = "lost", _("lost")

    LIVING = (Status.ACTIVE, Status.DRAINING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=128)
    hostname = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process id"))
    version = models.CharField(_("version"), max_length=32, blank=True, default="")
    queues = models.TextField(_("queues"), blank=True, default="*")
    concurrency = models.PositiveIntegerField(_("concurrency"), default=1)
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.ACTIVE
    )
    started_at = models.DateTimeField(_("started"), default=now)
    beat_at = models.DateTimeField(_("last heartbeat"), default=now)
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)
    running = models.PositiveIntegerField(_("running"), default=0)
    succeeded = models.PositiveBigIntegerField(_("succeeded"), default=0)
    failed = models.PositiveBigIntegerField(_("failed"), default=0)

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ("-started_at",)
        indexes = (models.Index(fields=("status", "beat_at"), name="agenda_worker_status"),)

    def __str__(self) -> str:
        return self.name

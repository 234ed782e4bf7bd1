"""The processes that run executions."""

from __future__ import annotations

from typing import ClassVar

from asgiref.sync import sync_to_async
from django.db import models
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now

from . import verbs
from .identity import uuid7


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Name sets of workers, and ask them for something.

    Each hears of it with its next heartbeat. The verbs return how many were asked: those that
    live, were not asked for the same before, and were not told to end yet.
    """

    def quiet(self) -> int:
        """Ask them to claim nothing new; what they run ends, and they stay alive."""
        return verbs.quiet(self)

    def resume(self) -> int:
        """Take quiet() back."""
        return verbs.resume_workers(self)

    def stop(self) -> int:
        """Ask them to drain and end, with code 0: each takes its whole supervisor with it."""
        return verbs.stop_workers(self)

    async def aquiet(self) -> int:
        """See quiet()."""
        return await sync_to_async(self.quiet)()

    async def aresume(self) -> int:
        """See resume()."""
        return await sync_to_async(self.resume)()

    async def astop(self) -> int:
        """See stop()."""
        return await sync_to_async(self.stop)()


class Worker(models.Model):
    """Hold one incarnation of a worker process.

    The id is new at every start and is what claims are fenced by: a name can come back, an
    incarnation cannot. `beat_at` is its lease, written and judged by the database's clock only.

    `requested` is what somebody wants of it; the process reads it with each heartbeat, and writes
    `status` when it has obeyed. `memory` is in bytes; `load` is for read_load().
    """

    class Status(models.TextChoices):
        """Say what a worker does; `lost` was declared so after its lease lapsed."""

        ACTIVE = "active", _("active")
        QUIET = "quiet", _("quiet")
        DRAINING = "draining", _("draining")
        STOPPED = "stopped", _("stopped")
        LOST = "lost", _("lost")

    class Request(models.TextChoices):
        """Say what a worker is asked for; nothing is to work."""

        QUIET = "quiet", _("quiet")
        STOP = "stop", _("stop")

    LIVING = (Status.ACTIVE, Status.QUIET, Status.DRAINING)
    AT_WORK: ClassVar = (Status.ACTIVE, Status.QUIET)

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
    requested = models.CharField(
        _("asked for"), max_length=8, choices=Request.choices, blank=True, default=""
    )
    requested_at = models.DateTimeField(_("asked"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), default=now)
    beat_at = models.DateTimeField(_("last heartbeat"), default=now)
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)
    running = models.PositiveIntegerField(_("running"), default=0)
    succeeded = models.PositiveBigIntegerField(_("succeeded"), default=0)
    failed = models.PositiveBigIntegerField(_("failed"), default=0)
    memory = models.PositiveBigIntegerField(_("memory"), null=True, blank=True)
    load = models.JSONField(_("load"), default=list, blank=True, editable=False)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ("-started_at",)
        permissions = (("control_worker", "Can quiet, resume and stop"),)
        indexes = (models.Index(fields=("status", "beat_at"), name="agenda_worker_status"),)

    def __str__(self) -> str:
        return self.name

    def quiet(self) -> bool:
        """Ask it to claim nothing new; tell whether it was asked. See WorkerQuerySet.quiet()."""
        return self._asked(self._rows().quiet())

    def resume(self) -> bool:
        """Take quiet() back; tell whether it was asked."""
        return self._asked(self._rows().resume())

    def stop(self) -> bool:
        """Ask it to drain and end; tell whether it was asked. See WorkerQuerySet.stop()."""
        return self._asked(self._rows().stop())

    async def aquiet(self) -> bool:
        """See quiet()."""
        return await sync_to_async(self.quiet)()

    async def aresume(self) -> bool:
        """See resume()."""
        return await sync_to_async(self.resume)()

    async def astop(self) -> bool:
        """See stop()."""
        return await sync_to_async(self.stop)()

    def _rows(self) -> WorkerQuerySet:
        return Worker.objects.using(self._state.db).filter(pk=self.pk)

    def _asked(self, count: int) -> bool:
        self.refresh_from_db()
        return bool(count)

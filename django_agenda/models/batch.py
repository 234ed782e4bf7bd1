"""The record of one scatter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar, Self

from asgiref.sync import sync_to_async
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now

from . import verbs
from .fields import ExactCharField, LabelsField, SparseIndex


def _status_rule() -> Case:
    """Return the rule of a batch's status, the first that holds; see docs/explanation/lifecycle."""
    started = Q(started_at__isnull=False) | Q(running__gt=0) | Q(succeeded__gt=0) | Q(failed__gt=0)
    ended = Q(total=F("succeeded") + F("failed") + F("missed") + F("cancelled") + F("skipped"))
    trouble = Q(failed__gt=0) | Q(missed__gt=0)
    return Case(
        When(ended & trouble & Q(succeeded=0), then=Value("failed")),
        When(ended & trouble, then=Value("partly_failed")),
        When(ended & Q(cancelled__gt=0), then=Value("cancelled")),
        When(ended, then=Value("succeeded")),
        When(Q(paused_at__isnull=False), then=Value("paused")),
        When(Q(pending__gt=0), then=Value("partly_scheduled")),
        When(started, then=Value("running")),
        When(Q(told_until__lt=F("total")), then=Value("pending")),
        default=Value("scheduled"),
    )


class Batch(models.Model):
    """Hold one scatter: its window, its counts, and how far the broker was told of it.

    The eight counts always add up to `total` and equal the rows: they change in the transaction
    that changes the rows. The database itself derives `status` from them. `enqueued` counts what
    the broker was told of; `told_until` is the position until which it was: the outbox's mark.

    `paused_at` holds a batch at once: every claim looks at it under the batch's lock. The rows
    follow chunk by chunk, and `settling_since` is set until they have. The forgiven failures and
    outcomes are those before the last resume(): `max_failures` counts from there.
    """

    class Status(models.TextChoices):
        """Say where a batch stands; the words are the public contract."""

        PENDING = "pending", _("pending")
        PARTLY_SCHEDULED = "partly_scheduled", _("partly scheduled")
        SCHEDULED = "scheduled", _("scheduled")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        SUCCEEDED = "succeeded", _("succeeded")
        PARTLY_FAILED = "partly_failed", _("partly failed")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    COUNTS: ClassVar = (
        "pending",
        "scheduled",
        "running",
        "succeeded",
        "failed",
        "missed",
        "cancelled",
        "skipped",
    )
    ENDED: ClassVar = ("succeeded", "failed", "missed", "cancelled", "skipped")
    # More executions than the admin draws one by one.
    LARGE: ClassVar = 5000

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=255, blank=True, default="")
    key = ExactCharField(_("key"), max_length=255, null=True, blank=True)
    live_key = ExactCharField(max_length=255, null=True, unique=True, editable=False)
    labels = LabelsField(_("labels"), default=list, blank=True)
    start = models.DateTimeField(_("start"))
    over = models.DurationField(_("over"))
    jitter = models.DurationField(_("jitter"), null=True, blank=True)
    strategy = models.CharField(_("strategy"), max_length=255, default="even")
    seed = models.BigIntegerField(_("seed"), null=True, blank=True)
    max_failures = models.FloatField(_("max failures"), null=True, blank=True)
    parent = models.ForeignKey(
        "Execution",
        models.SET_NULL,
        related_name="scattered",
        null=True,
        blank=True,
        editable=False,
        db_index=False,
        db_constraint=False,
        verbose_name=_("scheduled by"),
    )
    on_success = models.CharField(max_length=255, blank=True, default="")
    on_failure = models.CharField(max_length=255, blank=True, default="")
    on_complete = models.CharField(max_length=255, blank=True, default="")
    callbacks_fired = models.PositiveSmallIntegerField(default=0, editable=False)

    created_at = models.DateTimeField(_("created"), default=now, db_index=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    paused_at = models.DateTimeField(_("paused"), null=True, blank=True)
    pause_reason = models.CharField(max_length=255, blank=True, default="")
    settling_since = models.DateTimeField(null=True, blank=True, editable=False)
    forgiven_failures = models.PositiveIntegerField(default=0, editable=False)
    forgiven_outcomes = models.PositiveIntegerField(default=0, editable=False)
    enqueued = models.PositiveIntegerField(_("enqueued"), default=0)
    told_until = models.PositiveIntegerField(default=0, editable=False)
    enqueue_error = models.TextField(_("enqueue error"), blank=True, default="")
    enqueue_failed_at = models.DateTimeField(_("enqueueing failed"), null=True, blank=True)

    total = models.PositiveIntegerField(_("total"), default=0)
    pending = models.IntegerField(_("pending"), default=0)
    scheduled = models.IntegerField(_("scheduled"), default=0)
    running = models.IntegerField(_("running"), default=0)
    succeeded = models.IntegerField(_("succeeded"), default=0)
    failed = models.IntegerField(_("failed"), default=0)
    missed = models.IntegerField(_("missed"), default=0)
    cancelled = models.IntegerField(_("cancelled"), default=0)
    skipped = models.IntegerField(_("skipped"), default=0)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    rollup = models.TextField(blank=True, default="", editable=False)
    status = models.GeneratedField(
        expression=_status_rule(),
        output_field=models.CharField(_("status"), max_length=16, choices=Status.choices),
        db_persist=True,
    )

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering = ("-id",)
        permissions = (("control_batch", "Can pause, resume, cancel and reschedule"),)
        indexes = (
            models.Index(fields=("status", "created_at"), name="agenda_batch_status"),
            models.Index(fields=("finished_at",), name="agenda_batch_finished"),
            SparseIndex("key", name="agenda_batch_key", where=Q(key__isnull=False)),
            SparseIndex("total", "finished_at", name="agenda_batch_large", where=Q(total__gt=5000)),
            SparseIndex("parent", name="agenda_batch_parent", where=Q(parent__isnull=False)),
            SparseIndex(
                "settling_since",
                name="agenda_batch_settling",
                where=Q(settling_since__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.name or gettext("batch %(number)s") % {"number": self.pk}

    @property
    def end(self) -> datetime:
        """Return the last moment of its window."""
        return self.start + self.over

    @property
    def done(self) -> int:
        """Return how many of its executions have ended, in whatever way."""
        return sum(getattr(self, name) for name in self.ENDED)

    @property
    def is_finished(self) -> bool:
        """Tell whether every execution has ended."""
        return self.done == self.total

    @property
    def progress(self) -> float:
        """Return the share that has ended, 0 to 1; an empty batch is complete."""
        return self.done / self.total if self.total else 1.0

    def describe(self, number: Callable[[int], str] = str, **words: str) -> str:
        """Say in one sentence where it stands; `number` writes numbers, `words` rename counts."""
        order = (*self.ENDED, "running", "pending", "scheduled")
        names = {name: self._meta.get_field(name).verbose_name for name in order} | words  # type: ignore[union-attr]
        counted = [
            f"{number(many)} {names[name]}" for name in order if (many := getattr(self, name))
        ]
        what = ", ".join(counted) or gettext("nothing to run")
        return gettext("%(what)s of %(total)s") % {"what": what, "total": number(self.total)}

    def cancel(self) -> int:
        """Cancel what waits, ask what runs to stop; return how many both were.

        What runs ends by itself (see `current.cancelled`), or, being a coroutine, by its
        cancellation. All verbs are for any process at any time: each row is changed by a claim or
        by the verb, never by both.
        """
        return self._done_by(verbs.cancel_batch(self))

    def pause(self) -> int:
        """Start nothing more of it; return how many executions are held.

        What was claimed already runs to its end, and comes to rest if it is to be tried again.
        """
        return self._done_by(verbs.pause_batch(self))

    def resume(self, over: timedelta | None = None) -> int:
        """Let go of what the pause holds, enqueue what never reached the broker; return how many.

        What is overdue by now runs at once, or is spread evenly over `over` from now; what has
        expired meanwhile is missed, unless it was spread. What the broker refuses stays pending,
        with the error on the batch. Members that were paused by themselves stay so.
        """
        return self._done_by(verbs.resume_batch(self, over))

    def retry_failed(self, over: timedelta | None = None) -> int:
        """Run again what failed or was missed, now or spread over `over`; return how many.

        Reopens a batch that had ended. See ExecutionQuerySet.retry().
        """
        return self._done_by(verbs.retry_failed(self, over))

    def respread(self, over: timedelta, start: datetime | None = None) -> int:
        """Put everything that waits on a new even spread from `start` (now); return how many.

        The batch's own `over` grows when the new spread ends later; what was held stays held.
        """
        return self._done_by(verbs.respread(self, over, start))

    def wait(self, timeout: float | timedelta) -> Self:
        """Return this instance, refreshed, once every execution has ended, however it did.

        Raises TimeoutError after `timeout` (seconds or a timedelta), AlreadyDeleted when it is
        gone. A paused batch does not end.
        """
        verbs.wait_for_batch(self, timeout)
        return self

    async def acancel(self) -> int:
        """See cancel()."""
        return await sync_to_async(self.cancel)()

    async def apause(self) -> int:
        """See pause()."""
        return await sync_to_async(self.pause)()

    async def aresume(self, over: timedelta | None = None) -> int:
        """See resume()."""
        return await sync_to_async(self.resume)(over)

    async def aretry_failed(self, over: timedelta | None = None) -> int:
        """See retry_failed()."""
        return await sync_to_async(self.retry_failed)(over)

    async def arespread(self, over: timedelta, start: datetime | None = None) -> int:
        """See respread()."""
        return await sync_to_async(self.respread)(over, start)

    async def await_end(self, timeout: float | timedelta | None = None) -> Self:
        """See wait(); without a time-out it waits for as long as it takes."""
        await verbs.await_batch(self, timeout)
        return self

    def _done_by(self, count: int) -> int:
        self.refresh_from_db()
        return count

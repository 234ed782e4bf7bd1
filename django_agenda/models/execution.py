"""One call given a due time, and what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.db import models
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now

from . import verbs
from .batch import Batch
from .execution_indexes import CONSTRAINTS, INDEXES
from .execution_set import ExecutionQuerySet
from .fields import ExactCharField, LabelsField, PayloadField
from .identity import uuid7
from .schedule import Schedule


class Execution(models.Model):
    """Hold one call: its plan, who runs it, and its outcome.

    The row is the lock and `(claimed_by, attempts)` the fencing token: every statement that moves
    a status is guarded by them (see django_agenda.worker). Integers ending in `_ms` are
    milliseconds; offsets count from the start of the batch: `slot_offset_ms` is where the scatter
    put it, `planned_offset_ms` where it was last planned to run (jitter, reschedule, respread).
    `attempts_each` is how many tries one retry() grants: what max_attempts was at first. Of a run
    of a schedule, `tick_at` is the tick (None: somebody ran it now) and `terms` what the schedule
    asks for instead of its task. `progress_...` is what its body has said by `current.progress()`,
    in its latest attempt.
    """

    class Status(models.TextChoices):
        """Say where an execution stands; the words are the public contract."""

        SCHEDULED = "scheduled", _("scheduled")
        PENDING = "pending", _("pending")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        MISSED = "missed", _("missed")
        CANCELLED = "cancelled", _("cancelled")
        SKIPPED = "skipped", _("skipped")

    class Stage(models.TextChoices):
        """Say at which stage an execution failed."""

        ENQUEUE = "enqueue", _("enqueue")
        RUN = "run", _("run")
        TIMEOUT = "timeout", _("time-out")
        LOST = "lost", _("worker lost")
        EXPIRED = "expired", _("expired")

    WAITING: ClassVar = (Status.SCHEDULED, Status.PENDING)
    LIVE: ClassVar = (*WAITING, Status.RUNNING)
    RETRYABLE: ClassVar = (Status.FAILED, Status.MISSED, Status.CANCELLED)
    RARE: ClassVar = (*RETRYABLE, Status.SKIPPED)
    UNKNOWN_TASK: ClassVar = "unknown task"
    PAUSED: ClassVar = "paused"
    BATCH_PAUSED: ClassVar = "batch paused"
    IN_TURN: ClassVar = "previous run"
    NO_SLOT: ClassVar = "no free slot"
    # Nobody has asked for these to be held, so a pause may take them over, and they expire.
    UNASKED: ClassVar = ("", UNKNOWN_TASK, NO_SLOT)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    batch = models.ForeignKey(
        Batch,
        models.CASCADE,
        related_name="executions",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
        verbose_name=_("batch"),
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    task_name = models.CharField(_("task"), max_length=255)
    # Before the columns of any length: a list that looks for a rare worker reads that far.
    worker = models.CharField(_("worker"), max_length=128, blank=True, default="")
    args = PayloadField(_("arguments"), default=list)
    kwargs = PayloadField(_("keyword arguments"), default=dict)
    key = ExactCharField(_("key"), max_length=255, null=True, blank=True)
    live_key = ExactCharField(max_length=255, null=True, editable=False)
    labels = LabelsField(_("labels"), default=list, blank=True)
    queue_name = models.CharField(_("queue"), max_length=64, default="default")
    priority = models.SmallIntegerField(_("priority"), default=0)
    parent = models.ForeignKey(
        "self",
        models.SET_NULL,
        related_name="children",
        null=True,
        db_index=False,
        db_constraint=False,
        verbose_name=_("scheduled by"),
    )
    callback_of = models.ForeignKey(
        Batch,
        models.SET_NULL,
        related_name="callbacks",
        null=True,
        db_index=False,
        db_constraint=False,
        verbose_name=_("callback of"),
    )
    schedule = models.ForeignKey(
        Schedule,
        models.SET_NULL,
        related_name="executions",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
        verbose_name=_("schedule"),
    )
    tick_at = models.DateTimeField(_("tick"), null=True, blank=True)
    terms = PayloadField(null=True, editable=False)

    created_at = models.DateTimeField(_("created"), default=now)
    due_at = models.DateTimeField(_("due"), default=now)
    expires_ms = models.PositiveBigIntegerField(null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    planned_offset_ms = models.BigIntegerField(default=0)
    slot_offset_ms = models.BigIntegerField(default=0)

    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.SCHEDULED
    )
    held_by = models.CharField(_("held by"), max_length=32, blank=True, default="")
    held_at = models.DateTimeField(_("held since"), null=True, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveIntegerField(_("max attempts"), default=1)
    attempts_each = models.PositiveIntegerField(null=True, editable=False)
    crashes = models.PositiveSmallIntegerField(_("crashes"), default=0)
    claimed_by = models.UUIDField(null=True, editable=False)
    gate = models.UUIDField(null=True, editable=False)
    moved_by = models.UUIDField(null=True, editable=False)
    cancel_requested_at = models.DateTimeField(_("cancellation asked for"), null=True, blank=True)

    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    lag_ms = models.BigIntegerField(_("lateness"), null=True, blank=True)
    run_ms = models.BigIntegerField(_("run time"), null=True, blank=True)
    return_value = PayloadField(_("return value"), null=True, blank=True)
    failed_stage = models.CharField(
        _("stage"), max_length=8, choices=Stage.choices, blank=True, default=""
    )
    error_class = models.CharField(_("error"), max_length=255, blank=True, default="")
    error_message = models.TextField(_("error message"), blank=True, default="")
    traceback = models.TextField(_("traceback"), blank=True, default="")
    error_fingerprint = models.CharField(max_length=16, blank=True, default="")
    progress_done = models.PositiveBigIntegerField(null=True, blank=True)
    progress_total = models.PositiveBigIntegerField(null=True, blank=True)
    progress_message = models.CharField(max_length=255, blank=True, default="")

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        verbose_name = _("execution")
        verbose_name_plural = _("executions")
        ordering = ("batch", "position")
        constraints = CONSTRAINTS
        permissions = (
            ("view_payload", "Can see arguments, results and tracebacks"),
            ("retry_execution", "Can retry and run now"),
        )
        indexes = INDEXES

    def __str__(self) -> str:
        return self.key or f"{self.task_name} {str(self.pk)[-12:]}"

    @classmethod
    def status_before_claim(cls, failed_stage: str) -> str:
        """Return the status that a waiting row had, from a column that nothing else changes.

        What the broker refused carries that as its error until it is enqueued or ends.
        """
        was_pending = failed_stage == cls.Stage.ENQUEUE
        return (cls.Status.PENDING if was_pending else cls.Status.SCHEDULED).value

    @property
    def is_live(self) -> bool:
        """Tell whether it may still run, and so holds its key."""
        return self.status in self.LIVE

    @property
    def progress(self) -> float | None:
        """Return the share that its body has said is done, 0 to 1; None when nobody knows."""
        if self.progress_done is None or self.progress_total is None:
            return None
        return self.progress_done / self.progress_total if self.progress_total else 1.0

    def cancel(self) -> bool:
        """See ExecutionQuerySet.cancel(); tell whether it changed anything."""
        return self._done_by(self._itself().cancel())

    def pause(self) -> bool:
        """See ExecutionQuerySet.pause(); tell whether it changed anything."""
        return self._done_by(self._itself().pause())

    def resume(self, over: timedelta | None = None) -> bool:
        """See ExecutionQuerySet.resume(); tell whether it changed anything."""
        return self._done_by(self._itself().resume(over))

    def retry(self, over: timedelta | None = None) -> bool:
        """See ExecutionQuerySet.retry(); tell whether it changed anything."""
        return self._done_by(self._itself().retry(over))

    def reschedule(
        self,
        *,
        at: datetime | None = None,
        by: timedelta | None = None,
        over: timedelta | None = None,
    ) -> bool:
        """See ExecutionQuerySet.reschedule(); tell whether it changed anything."""
        return self._done_by(self._itself().reschedule(at=at, by=by, over=over))

    async def acancel(self) -> bool:
        """See cancel()."""
        return await sync_to_async(self.cancel)()

    async def apause(self) -> bool:
        """See pause()."""
        return await sync_to_async(self.pause)()

    async def aresume(self, over: timedelta | None = None) -> bool:
        """See resume()."""
        return await sync_to_async(self.resume)(over)

    async def aretry(self, over: timedelta | None = None) -> bool:
        """See retry()."""
        return await sync_to_async(self.retry)(over)

    async def areschedule(self, **when: Any) -> bool:
        """See reschedule()."""
        return await sync_to_async(self.reschedule)(**when)

    def wait(self, timeout: float | timedelta) -> Any:
        """Return its return value once it has succeeded.

        Raises ExecutionFailed, ExecutionCancelled, AlreadyDeleted when it is pruned by then, or
        TimeoutError after `timeout` (seconds or a timedelta). Looks at the database ever less
        often, from 20 times a second to once.
        """
        return verbs.wait(self, timeout)

    async def await_result(self, timeout: float | timedelta | None = None) -> Any:
        """See wait(); without a time-out it waits for as long as it takes."""
        return await verbs.await_result(self, timeout)

    def expiry(self, due_at: datetime) -> datetime | None:
        """Return until when it may start, were it due at that moment."""
        if self.expires_ms is None:
            return None
        return due_at + timedelta(milliseconds=self.expires_ms)

    def _itself(self) -> ExecutionQuerySet:
        return Execution.objects.filter(pk=self.pk)

    def _done_by(self, count: int) -> bool:
        self.refresh_from_db()
        return count > 0

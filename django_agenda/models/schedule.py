"""A rule that keeps producing executions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now
from django_agenda.exceptions import UnknownTask
from django_agenda.policies.terms import Terms
from django_agenda.tasks.registry import lookup
from django_agenda.timing.aware import aware
from django_agenda.timing.backoff import Exponential
from django_agenda.timing.cron import Cron
from django_agenda.timing.recurrence import Interval, Once, Rule

from . import verbs
from .fields import LabelsField, PayloadField, SparseIndex
from .rule_words import rule_in_words
from .schedule_set import ScheduleQuerySet

if TYPE_CHECKING:
    from .execution import Execution


class Schedule(models.Model):
    """Hold one rule: what it runs, when, and what of that has happened.

    `next_at` is the next tick, and NULL where there is none: disabled, ended, or broken (`error`
    says how). Whoever changes a row that ticks raises `version`; a tick fires only at the version
    that it was read at. `fingerprint` is the definition: task, rule, arguments and name as they
    were first given. None of queue, priority and attempts leaves that to the task.
    """

    class Kind(models.TextChoices):
        """Say which kind of rule it is."""

        CRON = "cron", _("cron")
        INTERVAL = "interval", _("interval")
        ONCE = "once", _("once")

    class Overlap(models.TextChoices):
        """Say what becomes of a tick while an earlier run is alive."""

        ALLOW = "allow", _("run beside it")
        SKIP = "skip", _("skip this run")
        QUEUE = "queue", _("wait for it")

    class Misfire(models.TextChoices):
        """Say what becomes of ticks that nobody fired in time."""

        SKIP = "skip", _("skip them")
        ONCE = "once", _("run the last one")
        ALL = "all", _("run them all")

    NOT_DECLARED: ClassVar = "no longer declared"

    id = models.BigAutoField(primary_key=True)
    # What a version may have written that this one cannot decode: see models.unread.read_rows().
    PAYLOAD = ("args", "kwargs", "terms")

    fingerprint = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=255, blank=True, default="")
    description = models.TextField(_("description"), blank=True, default="")
    labels = LabelsField(_("labels"), default=list, blank=True)
    task_name = models.CharField(_("task"), max_length=255)
    args = PayloadField(_("arguments"), default=list)
    kwargs = PayloadField(_("keyword arguments"), default=dict)

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    expression = models.CharField(_("cron expression"), max_length=255, blank=True, default="")
    timezone = models.CharField(_("time zone"), max_length=64, blank=True, default="")
    interval = models.DurationField(_("interval"), null=True, blank=True)
    anchor = models.DateTimeField(_("anchor"), default=now)
    starts_at = models.DateTimeField(_("starts"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    max_runs = models.PositiveIntegerField(_("max runs"), null=True, blank=True)
    jitter = models.DurationField(_("jitter"), null=True, blank=True)
    overlap = models.CharField(
        _("overlap"), max_length=5, choices=Overlap.choices, default=Overlap.SKIP
    )
    misfire = models.CharField(
        _("misfire"), max_length=5, choices=Misfire.choices, default=Misfire.ONCE
    )
    catch_up = models.PositiveIntegerField(_("catch up"), default=100)

    queue_name = models.CharField(_("queue"), max_length=64, null=True, blank=True)  # noqa: DJ001
    priority = models.SmallIntegerField(_("priority"), null=True, blank=True)
    max_attempts = models.PositiveIntegerField(_("max attempts"), null=True, blank=True)
    terms = PayloadField(null=True, blank=True, editable=False)

    enabled = models.BooleanField(_("enabled"), default=True)
    disabled_by = models.CharField(max_length=32, blank=True, default="", editable=False)
    is_declared = models.BooleanField(_("declared in code"), default=False, editable=False)
    next_at = models.DateTimeField(_("next run"), null=True, blank=True)
    last_at = models.DateTimeField(_("last tick"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    runs = models.PositiveIntegerField(_("runs"), default=0)
    skips = models.PositiveIntegerField(_("skipped ticks"), default=0)
    error = models.TextField(_("error"), blank=True, default="")
    created_at = models.DateTimeField(_("created"), default=now)
    version = models.PositiveBigIntegerField(default=0, editable=False)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        ordering = ("name", "id")
        permissions = (("run_schedule", "Can run schedules now"),)
        indexes = (
            SparseIndex("next_at", name="agenda_schedule_next", where=Q(next_at__isnull=False)),
        )

    def __str__(self) -> str:
        return self.name or f"{self.task_name}, {self._in_words()}"

    @property
    def rule(self) -> Rule:
        """Return its rule; raise ValueError when the row holds none that can be read."""
        if self.kind == self.Kind.CRON:
            return Cron(self.expression, self.timezone)
        if self.kind == self.Kind.INTERVAL and self.interval is not None:
            return Interval(length=self.interval, anchor=self.anchor)
        if self.kind == self.Kind.ONCE:
            return Once(at=self.anchor)
        raise ValueError(f"Schedule {self.pk} has no rule: {self.kind!r}")

    def tick_after(self, moment: datetime) -> datetime | None:
        """Return the first tick after a moment that lies between `starts_at` and `ends_at`.

        Does not look at how often it has run, nor whether it is enabled.
        """
        if self.starts_at is not None and moment < self.starts_at:
            # A tick at the very start belongs to it.
            moment = self.starts_at - timedelta(microseconds=1)
        tick = self.rule.after(moment)
        is_over = tick is None or (self.ends_at is not None and tick > self.ends_at)
        return None if is_over else tick

    @property
    def timeout(self) -> timedelta | None:
        """Return the time-out of its runs; None leaves it to the task."""
        return Terms.unpack(self.terms).timeout

    @property
    def backoff(self) -> timedelta | Exponential | None:
        """Return how long its runs wait between tries; None leaves it to the task."""
        return Terms.unpack(self.terms).backoff

    @property
    def over(self) -> timedelta | None:
        """Return over which time the agenda of a run is scattered; None: it has no agenda."""
        return Terms.unpack(self.terms).over

    @property
    def is_used_up(self) -> bool:
        """Tell whether it has run as often as it may."""
        if self.kind == self.Kind.ONCE and self.ended_at is not None:
            return True
        return self.max_runs is not None and self.runs >= self.max_runs

    @property
    def trouble(self) -> str:
        """Say why it cannot run as it should: a task that nothing here knows, a rule that is none.

        An empty text says that all is well.
        """
        try:
            self.rule  # noqa: B018
            lookup(self.task_name)
        except (ValueError, UnknownTask) as error:
            return str(error)
        return self.error

    def next_times(self, count: int = 10, after: datetime | None = None) -> list[datetime]:
        """Return its next ticks in UTC, at most so many, whether it is enabled or not.

        They begin after `after` (aware), or with the tick that it waits for. Jitter is not in
        them, and they end with `ends_at` and `max_runs`.
        """
        if count < 0:
            raise ValueError(f"'count' must not be negative, as {count} is")
        after = None if after is None else aware("after", after)
        if self.max_runs is not None:
            count = min(count, max(0, self.max_runs - self.runs))
        first = [self.next_at] if after is None and self.next_at is not None else []
        moment = first[0] if first else after or now()
        found = first[:count]
        while len(found) < count and (tick := self.tick_after(moment)) is not None:
            found.append(tick)
            moment = tick
        return found

    def describe(self) -> str:
        """Say its rule in words, in the language that is active, and what limits it."""
        words = [self._in_words()]
        ends = ((self.starts_at, gettext("from %s UTC")), (self.ends_at, gettext("until %s UTC")))
        words += [text % f"{end:%Y-%m-%d %H:%M}" for end, text in ends if end is not None]
        if self.max_runs is not None:
            times = ngettext("%(count)s time", "%(count)s times", self.max_runs)
            words.append(times % {"count": self.max_runs})
        return ", ".join(words)

    def enable(self) -> bool:
        """See ScheduleQuerySet.enable(); tell whether it changed anything."""
        return self._done_by(self._itself().enable())

    def disable(self) -> bool:
        """See ScheduleQuerySet.disable(); tell whether it changed anything."""
        return self._done_by(self._itself().disable())

    def skip_next(self) -> bool:
        """See ScheduleQuerySet.skip_next(); tell whether it changed anything."""
        return self._done_by(self._itself().skip_next())

    def run_now(self) -> Execution:
        """Run it once, at once, besides its ticks, whether it is enabled or not."""
        return verbs.run_now(self)

    def delete(self, using: str | None = None, keep_parents: bool = False) -> Any:
        """Delete it, and withdraw its waiting tick; the rows of its runs stay."""
        self._itself().disable()
        return super().delete(using=using, keep_parents=keep_parents)

    def _in_words(self) -> str:
        try:
            return rule_in_words(self.rule)
        except ValueError as error:
            return gettext("broken: %(error)s") % {"error": error}

    def _itself(self) -> ScheduleQuerySet:
        return Schedule.objects.using(self._state.db).filter(pk=self.pk)

    def _done_by(self, count: int) -> bool:
        self.refresh_from_db()
        return count > 0

"""Filters that ask what people ask: what is in trouble, what is late, what runs now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.tasks.registry import registered

from .entries import day_of
from .lost import ANY, PARAMETER, lost_attempts
from .makers import made_in_admin
from .states import BATCHES, OUTCOMES

_MOST_TASKS = 40
_LATE_MS = 1000


class StatusFilter(admin.SimpleListFilter):
    """Choose by status, under the names that the pages use."""

    title = _("state")
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the statuses of the model, without asking the database."""
        known = BATCHES if model_admin.model is Batch else OUTCOMES
        return [(slug, state.label) for slug, state in known.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the choice; of executions, so that a sparse index fits."""
        if not self.value():
            return queryset
        found = queryset.filter(status=self.value())
        if queryset.model is Execution and self.value() in Execution.LIVE:
            return found.filter(finished_at__isnull=True)
        if queryset.model is Execution and self.value() in Execution.RARE:
            return found.filter(status__in=Execution.RARE)
        return found


class StageFilter(admin.SimpleListFilter):
    """Choose executions by the stage at which they failed."""

    title = _("stage")
    parameter_name = "failed_stage__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the stages."""
        return Execution.Stage.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the choice; whatever has a stage has a fingerprint, and those are indexed."""
        if not self.value():
            return queryset
        return queryset.filter(failed_stage=self.value(), error_fingerprint__gt="")


class BatchTroubleFilter(admin.SimpleListFilter):
    """Choose batches by what went wrong, now or earlier."""

    title = _("trouble")
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the choices."""
        return (
            ("failures", _("has failures")),
            ("missed", _("has missed executions")),
            ("pending", _("partly scheduled")),
            ("none", _("none")),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the choice."""
        conditions = {
            "failures": Q(failed__gt=0),
            "missed": Q(missed__gt=0),
            "pending": Q(pending__gt=0),
            "none": Q(failed=0, missed=0, pending=0),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class BatchWindowFilter(admin.SimpleListFilter):
    """Choose batches by where their window lies."""

    title = _("window")
    parameter_name = "window"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the choices."""
        return (
            ("now", _("open now")),
            ("today", _("overlaps today")),
            ("last", _("overlaps the last 24 hours")),
            ("next", _("overlaps the next 24 hours")),
            ("overdue", _("over, but not finished")),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the choice."""
        moment, day = now(), timedelta(days=1)
        spans = {
            "now": (moment, moment),
            "today": day_of(moment),
            "last": (moment - day, moment),
            "next": (moment, moment + day),
        }
        if self.value() == "overdue":
            return queryset.filter(start__lt=moment - F("over"), finished_at__isnull=True)
        if span := spans.get(self.value() or ""):
            begin, end = span
            return queryset.filter(start__lte=end, start__gte=begin - F("over"))
        return queryset


class SourceFilter(admin.SimpleListFilter):
    """Choose batches by what has made them."""

    title = _("source")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the choices."""
        return (
            ("admin", _("planned in the admin")),
            ("schedule", _("a run of a schedule")),
            ("task", _("another task")),
            ("code", _("views, commands, other code")),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the choice."""
        match self.value():
            case "admin":
                return queryset.filter(made_in_admin())
            case "schedule":
                return queryset.filter(parent__schedule__isnull=False)
            case "task":
                return queryset.filter(parent__isnull=False, parent__schedule__isnull=True)
            case "code":
                return queryset.exclude(made_in_admin()).filter(parent__isnull=True)
        return queryset


class TaskFilter(admin.SimpleListFilter):
    """Choose executions by task, among those that this process knows."""

    title = _("task")
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the names of the registered tasks."""
        return [(name, name.rpartition(".")[2]) for name in sorted(registered())[:_MOST_TASKS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the choice."""
        return queryset.filter(task_name=self.value()) if self.value() else queryset


class DueFilter(admin.SimpleListFilter):
    """Choose executions that have not started by when they are due."""

    title = _("waiting")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the choices."""
        return (
            ("now", _("due now")),
            ("hour", _("due in the next hour")),
            ("later", _("due later")),
            ("held", _("held")),
            ("slot", _("for a free slot")),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the choice."""
        waiting = queryset.filter(status__in=Execution.WAITING, finished_at__isnull=True)
        moment, hour = now(), timedelta(hours=1)
        match self.value():
            case "now":
                return waiting.filter(due_at__lte=moment)
            case "hour":
                return waiting.filter(due_at__range=(moment, moment + hour))
            case "later":
                return waiting.filter(due_at__gt=moment + hour)
            case "held":
                return waiting.exclude(held_by="")
            case "slot":
                return waiting.filter(held_by=Execution.NO_SLOT)
        return queryset


class LatenessFilter(admin.SimpleListFilter):
    """Choose executions that started late."""

    title = _("lateness")
    parameter_name = "late"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the choices, in milliseconds."""
        return (
            ("1000", _("more than 1 s")),
            ("10000", _("more than 10 s")),
            ("60000", _("more than 1 min")),
            ("600000", _("more than 10 min")),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the choice."""
        value = self.value() or ""
        if value not in dict(self.lookup_choices):
            return queryset
        # The second is what the sparse index holds.
        return queryset.filter(lag_ms__gt=int(value)).filter(lag_ms__gt=_LATE_MS)


class LostFilter(admin.SimpleListFilter):
    """Choose executions that were begun again after a worker was lost, or one of that name."""

    title = _("begun again")
    parameter_name = PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        """Return the only choice; the pages of workers link to those of one."""
        return [(ANY, _("after a worker was lost"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the choice: they are few, and a sparse index knows them."""
        name = self.value()
        if not name:
            return queryset
        found = lost_attempts() if name == ANY else lost_attempts().filter(worker=name)
        return queryset.filter(pk__in=found.values("execution"))

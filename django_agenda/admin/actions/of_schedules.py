"""The actions on schedules, and how they are counted: by schedule, not by execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from django_agenda.admin.states import State
from django_agenda.models.schedule import Schedule
from django_agenda.models.schedule_set import ScheduleQuerySet

from .action import Action, Given
from .errand import Answer, Errand, Survey
from .history import ONE_BY_ONE

ENABLED = State("succeeded", _("enabled"))
DISABLED = State("paused", _("disabled"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleErrand(Errand):
    """Count and change schedules; `executions` is not looked at."""

    def survey(self) -> Survey:
        """Count those that fit, and those that do not: one statement."""
        fits = self.action.fits()
        rows = list(self.subjects.order_by().values_list("pk", "enabled"))
        fitting = set(self.subjects.filter(fits).order_by().values_list("pk", flat=True))
        skipped = [is_enabled for pk, is_enabled in rows if pk not in fitting]
        counts = [(ENABLED, skipped.count(True)), (DISABLED, skipped.count(False))]
        return Survey(
            count=len(fitting),
            subjects=len(fitting),
            shares=[],
            skipped=[(state, many) for state, many in counts if many],
        )

    def carry_out(self, wish: dict[str, Any], seen: int, before: Survey) -> Answer:
        """See Errand.carry_out()."""
        fitting = self.subjects.filter(self.action.fits())
        subjects = list(fitting.defer(*Schedule.PAYLOAD)[: ONE_BY_ONE + 1])
        count = self.action.carry_out(Given(fitting, self.executions, wish))
        expected = before.count if self.is_chosen else max(before.count, seen)
        return Answer(
            action=self.action,
            model=self.subjects.model,
            count=count,
            subjects=subjects,
            skipped=before.skipped,
            lost=max(expected - count, 0),
        )


def _run_all(given: Given) -> int:
    return sum(schedule.run_now() is not None for schedule in given.subjects)


def _delete_all(given: Given) -> int:
    rows = _rows(given)
    count = rows.count()
    rows.delete()
    return count


def _rows(given: Given) -> ScheduleQuerySet:
    """Return them as a set that can be changed: a list's filter may have joined other tables."""
    keys = given.subjects.order_by().values_list("pk", flat=True)
    return Schedule.objects.using(given.subjects.db).filter(pk__in=list(keys))


ENABLE = Action(
    slug="enable",
    right="change",
    label=_("Enable"),
    ask=ngettext_lazy("Enable %(count)s schedule", "Enable %(count)s schedules", "number"),
    done=ngettext_lazy("Enabled %(count)s schedule", "Enabled %(count)s schedules", "number"),
    effect=_(
        "New runs begin from now on; those of the time before are not made up for. What has"
        " ended, and has no run to come, stays as it is."
    ),
    fits=lambda: Q(enabled=False) | Q(next_at=None),
    reach=Q,
    carry_out=lambda given: _rows(given).enable(),
    passed_over=_("no run to come, or changed meanwhile"),
)
DISABLE = Action(
    slug="disable",
    right="change",
    label=_("Disable"),
    ask=ngettext_lazy("Disable %(count)s schedule", "Disable %(count)s schedules", "number"),
    done=ngettext_lazy("Disabled %(count)s schedule", "Disabled %(count)s schedules", "number"),
    effect=_("No new run begins, and one that waits is cancelled. Runs that have begun go on."),
    fits=lambda: Q(enabled=True),
    reach=Q,
    carry_out=lambda given: _rows(given).disable(),
)
SKIP_NEXT = Action(
    slug="skip-next",
    right="change",
    label=_("Skip the next run"),
    ask=ngettext_lazy(
        "Skip the next run of %(count)s schedule",
        "Skip the next run of %(count)s schedules",
        "number",
    ),
    done=ngettext_lazy(
        "Skipped the next run of %(count)s schedule",
        "Skipped the next run of %(count)s schedules",
        "number",
    ),
    effect=_("The run after the next one will be the next. What has no other run to come ends."),
    fits=lambda: Q(next_at__isnull=False),
    reach=Q,
    carry_out=lambda given: _rows(given).skip_next(),
)
RUN_SCHEDULE = Action(
    slug="run",
    right="run",
    label=_("Run now"),
    ask=ngettext_lazy("Run %(count)s schedule now", "Run %(count)s schedules now", "number"),
    done=ngettext_lazy("%(count)s schedule runs now", "%(count)s schedules run now", "number"),
    effect=_(
        "One run of each begins at once, besides the planned ones, also of what is disabled, and"
        " also while an earlier run is alive."
    ),
    fits=Q,
    reach=Q,
    carry_out=_run_all,
)
DELETE = Action(
    slug="delete",
    right="remove",
    label=_("Delete"),
    ask=ngettext_lazy("Delete %(count)s schedule", "Delete %(count)s schedules", "number"),
    done=ngettext_lazy("Deleted %(count)s schedule", "Deleted %(count)s schedules", "number"),
    effect=_(
        "They tick no more, and a tick that waits is cancelled. The rows of their runs stay. This"
        " cannot be taken back."
    ),
    # The next start of a worker would make it anew.
    fits=lambda: Q(is_declared=False) | Q(enabled=False, disabled_by=Schedule.NOT_DECLARED),
    reach=Q,
    carry_out=_delete_all,
    passed_over=_("declared in code, or changed meanwhile"),
    is_end=True,
)
OF_SCHEDULES = (ENABLE, DISABLE, SKIP_NEXT, RUN_SCHEDULE, DELETE)

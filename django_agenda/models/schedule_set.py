"""The sets of schedules that people ask for, and what they can do with them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, Unpack

from django.db import models

from django_agenda.tasks.recurring import ScheduleOptions

from . import verbs
from .labels import having_labels

if TYPE_CHECKING:
    from .schedule import Schedule


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    """Define schedules, and carry verbs out on sets of them.

    A definition is idempotent: the same task, rule and arguments, and the same name when one is
    given, are one schedule, however many processes define it at once. The one that is there
    already is returned as it is, whatever the other options say. Raises UnknownTask, or ValueError
    or TypeError naming what is wrong, and then nothing is saved.

    The verbs return how many schedules they changed, and pass over those that they do not fit.
    """

    def cron(
        self,
        task: Any,
        expression: str,
        *,
        timezone: Any = None,
        **options: Unpack[ScheduleOptions],
    ) -> Schedule:
        """Run a task whenever the expression says, by the clocks of a time zone.

        `timezone` is a key such as "Europe/Berlin" or a ZoneInfo; without one it is TIME_ZONE.
        """
        return verbs.define(self._writing().db, task, "cron", (expression, timezone), options)

    def interval(
        self, task: Any, interval: timedelta | float, **options: Unpack[ScheduleOptions]
    ) -> Schedule:
        """Run a task every so often (a timedelta or seconds), on a grid.

        The grid begins at `starts_at`, or else now, and then the first run is an interval later.
        """
        return verbs.define(self._writing().db, task, "interval", (interval,), options)

    def once(self, task: Any, at: datetime, **options: Unpack[ScheduleOptions]) -> Schedule:
        """Run a task once, at an aware moment; the schedule disables itself then."""
        return verbs.define(self._writing().db, task, "once", (at,), options)

    def labelled(self, *labels: str) -> Self:
        """Keep those that carry every one of these labels."""
        return having_labels(self, labels)

    def enable(self) -> int:
        """Let them tick from now on; ticks that lie in the time before are not made up for.

        Workers hear of it at once. One that has ended, and has no tick to come, is passed over.
        """
        return verbs.enable(self._writing())

    def disable(self) -> int:
        """Let them tick no more, and cancel their ticks that wait; runs that have begun go on."""
        return verbs.disable(self._writing())

    def skip_next(self) -> int:
        """Leave out the next tick of each."""
        return verbs.skip_next(self._writing())

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete them, and withdraw their waiting ticks; the rows of their runs stay."""
        self.disable()
        return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def _writing(self) -> Self:
        """Return this set on the database that takes writes."""
        self._for_write = True
        return self.using(self.db)

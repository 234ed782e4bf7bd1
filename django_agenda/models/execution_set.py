"""The sets of executions that people ask for, and what they can do with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

from django_agenda.clock import now

from . import verbs
from .labels import having_labels

if TYPE_CHECKING:
    from .execution import Execution  # noqa: F401


class ExecutionQuerySet(models.QuerySet["Execution"]):
    """Name sets of executions, and carry verbs out on them.

    The verbs work in chunks of CHUNK_SIZE, each chunk in a transaction of its own unless one is
    open; they return how many executions they changed, and pass over those that they do not fit.
    Redis is told after the commit. A claim at the same instant has happened, or happens no more:
    the row decides.
    """

    def live(self) -> Self:
        """Keep those that hold their key: pending, scheduled or running."""
        return self.filter(status__in=self.model.LIVE)

    unfinished = live

    def due(self) -> Self:
        """Keep those whose moment has come and that no worker has taken."""
        return self.filter(status__in=self.model.WAITING, due_at__lte=now())

    def late(self, by: timedelta) -> Self:
        """Keep those that started, or still wait, more than this after their moment."""
        waiting = Q(status__in=self.model.WAITING, due_at__lt=now() - by)
        return self.filter(waiting | Q(lag_ms__gt=by / timedelta(milliseconds=1)))

    def labelled(self, *labels: str) -> Self:
        """Keep those that carry every one of these labels."""
        return having_labels(self, labels)

    def cancel(self) -> int:
        """Cancel those that wait, and ask those that run to stop.

        The former are `cancelled` at once. A worker hears of the latter within a second:
        `current.cancelled` becomes true in the body, and a coroutine is cancelled. What it had
        claimed and not started is not started any more. A body that ends by itself is recorded as
        what it was, but is not tried again.
        """
        return verbs.cancel(self._writing())

    def pause(self) -> int:
        """Hold those that wait: `held_by` says "paused", the status stays as it is."""
        return verbs.pause(self._writing())

    def resume(self, over: timedelta | None = None, start: datetime | None = None) -> int:
        """Let go of those that pause() held.

        What is overdue by now runs at once, or is spread evenly over `over` from `start` (now);
        what has expired meanwhile is missed, unless it was spread. A member of a paused batch is
        held by the batch from here on, and not counted.
        """
        return verbs.resume(self._writing(), over, start)

    def retry(self, over: timedelta | None = None, start: datetime | None = None) -> int:
        """Run those again that failed, were missed or were cancelled, now or spread over `over`.

        The spread begins at `start`, or now. Keeps counting `attempts`, and grants as many more as
        the task had at first. Reopens the batch; its callbacks are called at most once in its life
        all the same. One whose key is alive by now, or was given to another of the set, is passed
        over. Raises ValueError for a `start` without `over`, before anything is changed.
        """
        return verbs.retry(self._writing(), over, start)

    def reschedule(
        self,
        *,
        at: datetime | None = None,
        by: timedelta | None = None,
        over: timedelta | None = None,
        start: datetime | None = None,
    ) -> int:
        """Give those that wait another moment; those that run are passed over.

        Exactly one of: `at` (an aware moment for all), `by` (how much later than now planned;
        negative is earlier), `over` (an even spread from `start`, or now, in the order of their
        moments).
        What expires does so as long after the new moment as it did after the old one. Held ones
        stay held. Raises ValueError, before anything is changed.
        """
        return verbs.reschedule(self._writing(), at, by, over, start)

    def reschedule_each(self, moments: Mapping[Any, datetime]) -> int:
        """Give each its own moment, by key or id, in one transaction; see reschedule().

        A key means its living execution. Raises ValueError for a key or id that no execution of
        this set ever had, and nothing is changed.
        """
        return verbs.reschedule_each(self._writing(), moments)

    def _writing(self) -> Self:
        """Return this set on the database that takes writes, as one that can be filtered."""
        self._for_write = True
        found = self.using(self.db)
        if not found.query.is_sliced:
            return found
        ids = list(found.values_list("pk", flat=True))
        found.query = self.model._default_manager.using(self.db).filter(pk__in=ids).query
        return found

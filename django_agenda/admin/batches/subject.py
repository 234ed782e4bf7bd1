"""Whose timeline is drawn, and what of its counts is known already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db.models import QuerySet

from django_agenda.admin.actions.history import Deed
from django_agenda.admin.memory import memory
from django_agenda.admin.span import MILLISECOND, Span
from django_agenda.admin.timeline.drawing import DOTS_UP_TO
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.scheduling.digest import Counted, digest_of
from django_agenda.scheduling.grid import Grid

Value = TypeVar("Value")

_BY_VERBS = ("pending", "cancelled", "skipped", "total", "start", "over", "paused_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Hold whose timeline it is, which part of it, and how links are written.

    `deeds` is what people did to the batch last: what was counted before it is not shown after it.
    `counted` is what was counted of the whole batch after its end, for those who see all of it.
    `capacity` is how much the workers can run at once, if that is of interest; `paused` names the
    queues that are paused; `end` is where its plan ends, if that is not its window's end.
    """

    batch: Batch
    rows: QuerySet[Execution]
    span: Span
    now: datetime
    zoom_url: Callable[[Span], str]
    execution_url: Callable[[Execution], str]
    deeds: Sequence[Deed] = ()
    counted: Counted | None = None
    capacity: int = 0
    paused: Collection[str] = ()
    end: datetime | None = None

    @property
    def now_ms(self) -> int:
        """Return the present moment, counted from the start of the batch."""
        return (self.now - self.batch.start) // MILLISECOND

    @property
    def pauses(self) -> list[tuple[int, int]]:
        """Return from when to when it was paused, as far as what people did to it still tells.

        A resume says since when; older ones do not, and end the pause before them.
        """
        found: list[tuple[int, int]] = []
        until: datetime | None = None
        for deed in self.deeds:  # the newest first
            if deed.is_resume and deed.paused_since is not None:
                found.append((self._offset_ms(deed.paused_since), self._offset_ms(deed.at)))
                until = None
            elif deed.is_resume:
                until = deed.at
            elif deed.is_pause and until is not None:
                found.append((self._offset_ms(deed.at), self._offset_ms(until)))
                until = None
        if self.batch.paused_at and not self.batch.is_finished:
            found.append((self._offset_ms(self.batch.paused_at), self.now_ms))
        return found

    def _offset_ms(self, moment: datetime) -> int:
        return (moment - self.batch.start) // MILLISECOND

    @property
    def grid(self) -> Grid:
        """Return the slices of the span; of what has ended none lies before or after now."""
        now_ms = None if self.batch.is_finished else self.now_ms
        return Grid.over(*self.span[:2], now_ms, unit_ms=self._distance_ms)

    @property
    def _distance_ms(self) -> int:
        """Return how far from each other a few are planned that are spread evenly."""
        batch = self.batch
        if batch.strategy != "even" or not 0 < batch.total <= DOTS_UP_TO or batch.rollup:
            return 1
        return max(round(batch.over / MILLISECOND / batch.total), 1)

    @property
    def in_span(self) -> QuerySet[Execution]:
        """Return the executions that are planned in the span, in the order of the plan."""
        span = (self.span.lo_ms, self.span.hi_ms)
        found = self.rows.filter(planned_offset_ms__range=span)
        return found.order_by("planned_offset_ms", "position")

    def recall(self, what: str, count: Callable[[], Value]) -> Value:
        """Count anew in a small batch and a pruned one; of a large one see Memory.recall().

        What a verb changes at once begins anew; what workers change is seen a little later.
        """
        batch = self.batch
        if batch.total <= DOTS_UP_TO or batch.rollup:
            return count()
        is_final = batch.is_finished
        state = batch.version if is_final else [getattr(batch, name) for name in _BY_VERBS]
        who_sees = self.rows.query.sql_with_params()
        last_deed = self.deeds[0].number if self.deeds else 0
        key = repr((what, batch.pk, batch.created_at, self.span, last_deed, state, who_sees))
        return memory.recall(key, count, is_final=is_final)


def seen_digest(batch: Batch, rows: QuerySet[Execution]) -> Counted | None:
    """Return what was counted of a batch after its end, if these are all of its rows."""
    everything = Execution.objects.filter(batch=batch).order_by()
    if rows.query.sql_with_params() != everything.query.sql_with_params():
        return None
    return digest_of(batch)

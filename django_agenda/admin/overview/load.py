"""What is planned from an hour ago to an hour ahead, over all batches, by what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count, F, Max, Q, QuerySet
from django.db.models.functions import TruncSecond
from django.utils import timezone
from django.utils.translation import gettext as _

from django_agenda.admin import states, wording
from django_agenda.admin.lateness import Sketch
from django_agenda.admin.span import MILLISECOND
from django_agenda.admin.timeline.axis import Axis
from django_agenda.admin.timeline.strip import Strip, draw_strip
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.scheduling.count import sql_step
from django_agenda.scheduling.rollup import rollup_of

from .scope import Scope, planned_between

REACH = timedelta(hours=1)
SLICE = timedelta(minutes=1)
LATELY = timedelta(minutes=15)
_HALF = REACH // SLICE
_SIZE = 2 * _HALF
# Slices of the database are finer than those of the drawing, which begin at their own moments.
_FINE_MS, _COARSE_MS = 15_000, 60_000
_MANY_BATCHES = 50
_ENDED = ("succeeded", "failed", "missed", "cancelled", "skipped")
_AHEAD = ("scheduled", "pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Hold counts by status and minute; the minute in the middle begins now."""

    moment: datetime
    counts: dict[str, list[int]]

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was and nothing is planned."""
        return not any(map(any, self.counts.values()))

    def behind(self, *statuses: str) -> int:
        """Return how many of these were planned in the hour that is over."""
        return sum(sum(self.counts.get(status, ())[:_HALF]) for status in statuses)

    @property
    def ended(self) -> int:
        """Return how many of the last hour's have ended."""
        return self.behind(*_ENDED)

    @property
    def ahead(self) -> list[int]:
        """Return how many wait for each minute of the next hour."""
        lines = [self.counts[status][_HALF:] for status in _AHEAD if status in self.counts]
        return [sum(column) for column in zip(*lines, strict=True)] or [0] * _HALF

    def drawing(self) -> Strip:
        """Draw them."""
        half_ms, slice_ms = REACH // MILLISECOND, SLICE // MILLISECOND
        edges = [(place * slice_ms, (place + 1) * slice_ms) for place in range(_SIZE)]
        axis = Axis(start=self.moment - REACH, lo_ms=0, hi_ms=2 * half_ms)
        ordered = {slug: self.counts[slug] for slug in states.OUTCOMES if slug in self.counts}
        titles = [self._title(place) for place in range(_SIZE)]
        zone = timezone.get_current_timezone()
        return draw_strip(axis, zone, edges, ordered, titles=titles, now_ms=half_ms)

    def _title(self, place: int) -> str:
        counted = [
            f"{wording.count(many)} {state.label}"
            for slug, state in states.OUTCOMES.items()
            if (many := self.counts.get(slug, [0] * _SIZE)[place])
        ]
        if not counted:
            return ""
        begin = self.moment + (place - _HALF) * SLICE
        clock = [wording.clock_time(edge, self.moment) for edge in (begin, begin + SLICE)]
        return f"{clock[0]} – {clock[1]}: {', '.join(counted)}"


def read_load(rows: QuerySet[Execution], scope: Scope, moment: datetime) -> Load:
    """Count in two statements: the members of batches by their plan, the others by their moment."""
    batches = scope.between(moment - REACH, moment + REACH)
    counts: dict[str, list[int]] = {}
    for begin, status, many in (
        *_of_batches(rows, batches, moment),
        *_of_singles(rows, moment),
        *_of_pruned(batches),
    ):
        place = (begin - (moment - REACH)) // SLICE
        if 0 <= place < _SIZE:
            counts.setdefault(status, [0] * _SIZE)[place] += many
    return Load(moment=moment, counts=counts)


def _of_batches(
    rows: QuerySet[Execution], batches: Sequence[Batch], moment: datetime
) -> Iterable[tuple[datetime, str, int]]:
    width = _FINE_MS if len(batches) <= _MANY_BATCHES else _COARSE_MS
    planned = planned_between(batches, moment - REACH, moment + REACH)
    found = (
        rows.filter(planned)
        .annotate(slice=F("planned_offset_ms") - F("planned_offset_ms") % width)
        .values_list("batch", "slice", "status")
        .annotate(count=Count("*"))
        .order_by()
    )
    starts = {batch.pk: batch.start for batch in batches}
    for pk, begin, status, many in found:
        yield starts[pk] + (int(begin) + width // 2) * MILLISECOND, status, many


def _of_singles(rows: QuerySet[Execution], moment: datetime) -> Iterable[tuple[datetime, str, int]]:
    return (
        rows.filter(batch=None, due_at__range=(moment - REACH, moment + REACH))
        .annotate(second=TruncSecond("due_at", tzinfo=UTC))
        .values_list("second", "status")
        .annotate(count=Count("*"))
        .order_by()
    )


def _of_pruned(batches: Sequence[Batch]) -> Iterable[tuple[datetime, str, int]]:
    for batch in batches:
        if not batch.rollup:
            continue
        rollup = rollup_of(batch)
        for status, line in rollup.counts.items():
            for place, many in line.items():
                middle = rollup.width_ms * place + rollup.width_ms // 2
                yield batch.start + middle * MILLISECOND, status, many


def read_lateness(rows: QuerySet[Execution], scope: Scope, moment: datetime) -> Sketch:
    """Return how late those started that were due lately: one statement."""
    since = moment - LATELY
    planned = planned_between(scope.between(since, moment), since, moment)
    singles = Q(batch=None, due_at__range=(since, moment))
    found = (
        rows.filter(planned | singles, due_at__range=(since, moment), lag_ms__isnull=False)
        .annotate(step=sql_step("lag_ms"))
        .values_list("step")
        .annotate(count=Count("*"), most=Max("lag_ms"))
        .order_by()
    )
    steps = sorted((max(int(step), 0), many, most) for step, many, most in found)
    longest = max((most for _step, _many, most in steps), default=None)
    return Sketch([(step, many) for step, many, _most in steps], longest=longest)


def peak_words(load: Load) -> str:
    """Say when the next hour is fullest."""
    ahead = load.ahead
    most = max(ahead)
    if not most:
        return _("nothing is planned")
    begin = load.moment + ahead.index(most) * SLICE
    time = wording.clock_time(begin, load.moment, seconds=False)
    return _("at most %(count)s / min, at %(time)s") % {"count": wording.count(most), "time": time}

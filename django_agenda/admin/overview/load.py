"""What is planned from an hour ago to an hour ahead, over all batches, by what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Case, Count, F, Func, IntegerField, Max, Q, QuerySet, Value, When
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
_SLICE_MS = SLICE // MILLISECOND
# More than any offset before the start of a batch: remainders of what is negative differ.
_AGES_MS = 10**9 * _SLICE_MS
_ENDED = ("succeeded", "failed", "missed", "cancelled", "skipped")
_OPEN = ("running", "scheduled", "pending")
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
    def open(self) -> int:
        """Return how many of the last hour's run, or wait for whatever."""
        return self.behind(*_OPEN)

    @property
    def ended(self) -> list[int]:
        """Return how many of each minute of the last hour have ended."""
        return self._by_minute(_ENDED, slice(_HALF))

    @property
    def ahead(self) -> list[int]:
        """Return how many wait for each minute of the next hour."""
        return self._by_minute(_AHEAD, slice(_HALF, _SIZE))

    def _by_minute(self, statuses: Iterable[str], part: slice) -> list[int]:
        lines = [self.counts[status][part] for status in statuses if status in self.counts]
        return [sum(column) for column in zip(*lines, strict=True)] or [0] * _HALF

    def drawing(self) -> Strip:
        """Draw them."""
        half_ms = REACH // MILLISECOND
        edges = [(place * _SLICE_MS, (place + 1) * _SLICE_MS) for place in range(_SIZE)]
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
    """Count in two statements: the members of batches by their plan, the others by their moment.

    What is due at this very moment is behind it, and what is pruned is exact to a slice of it.
    """
    batches = scope.between(moment - REACH, moment + REACH)
    counts: dict[str, list[int]] = {}
    for place, status, many in (
        *_of_batches(rows, batches, moment),
        *_of_singles(rows, moment),
        *_of_pruned(batches, moment),
    ):
        if 0 <= place < _SIZE:
            counts.setdefault(status, [0] * _SIZE)[place] += many
    return Load(moment=moment, counts=counts)


def _of_batches(
    rows: QuerySet[Execution], batches: Sequence[Batch], moment: datetime
) -> Iterable[tuple[int, str, int]]:
    planned = planned_between(batches, moment - REACH, moment + REACH)
    # The first offset of each that lies in the drawing.
    firsts = {batch.pk: (moment - REACH - batch.start) // MILLISECOND + 1 for batch in batches}
    # Slices of the database begin where those of the drawing do, so that none lies across now.
    phases = [(pk, _AGES_MS - first % _SLICE_MS) for pk, first in sorted(firsts.items())]
    offset = F("planned_offset_ms")
    found = (
        rows.filter(planned)
        .annotate(slice=offset - (offset + _by_batch(phases or [(0, 0)])) % _SLICE_MS)
        .values_list("batch", "slice", "status")
        .annotate(count=Count("*"))
        .order_by()
    )
    for pk, begin, status, many in found:
        yield (int(begin) - firsts[pk]) // _SLICE_MS, status, many


def _by_batch(values: Sequence[tuple[int, int]]) -> Func:
    """Return the SQL for a number that each batch has its own of, given in the order of the ids.

    One expression for all of them: Django would take longer over hundreds than the database.
    """
    return Func(F("batch"), template=_choice(values), output_field=IntegerField())


def _choice(values: Sequence[tuple[int, int]]) -> str:
    if len(values) == 1:
        return str(values[0][1])
    middle = len(values) // 2
    lower, upper = _choice(values[:middle]), _choice(values[middle:])
    return f"CASE WHEN %(expressions)s < {values[middle][0]} THEN {lower} ELSE {upper} END"


def _of_singles(rows: QuerySet[Execution], moment: datetime) -> Iterable[tuple[int, str, int]]:
    found = (
        rows.filter(batch=None, due_at__range=(moment - REACH, moment + REACH))
        .annotate(second=TruncSecond("due_at", tzinfo=UTC), behind=_is_behind(moment))
        .values_list("second", "behind", "status")
        .annotate(count=Count("*"))
        .order_by()
    )
    for second, behind, status, many in found:
        place = (second - (moment - REACH)) // SLICE
        # A second begins before what lies in it.
        yield max(place, 0) if behind else max(place, _HALF), status, many


def _is_behind(moment: datetime) -> Case:
    return Case(When(due_at__lte=moment, then=Value(1)), default=Value(0))


def _of_pruned(batches: Sequence[Batch], moment: datetime) -> Iterable[tuple[int, str, int]]:
    for batch in batches:
        if not batch.rollup:
            continue
        rollup = rollup_of(batch)
        until = (moment - batch.start) // MILLISECOND
        first = until - REACH // MILLISECOND + 1
        for status, line in rollup.counts.items():
            for place, many in line.items():
                begin = rollup.width_ms * place
                middle = begin + rollup.width_ms // 2
                # What is pruned has ended, most of it after its plan.
                offset = min(middle, until) if begin <= until else middle
                yield (offset - first) // _SLICE_MS, status, many


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

"""The small timelines of a list of batches, in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Case, Count, F, IntegerField, Value, When
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.scheduling.rollup import Rollup, rollup_of

from . import charts
from .span import MILLISECOND
from .states import OUTCOMES

COLUMNS = 60
MOST_COUNTED = 150_000


def plan_sparks(batches: Sequence[Batch]) -> dict[int, SafeString]:
    """Return a drawing by batch; those that would take too long to count have none."""
    counted = set(countable(batches))
    widths = {
        batch.pk: max(-(-(batch.over // MILLISECOND + 1) // COLUMNS), 1)
        for batch in batches
        if batch.pk in counted
    }
    if not widths:
        return {}
    width = Case(
        *(When(batch=pk, then=Value(value)) for pk, value in widths.items()),
        default=Value(1),
        output_field=IntegerField(),
    )
    found = (
        Execution.objects.filter(batch__in=list(widths))
        .annotate(slice=F("planned_offset_ms") - F("planned_offset_ms") % width)
        .values_list("batch", "slice", "status")
        .annotate(count=Count("*"))
        .order_by()
    )
    counts: dict[int, dict[str, list[int]]] = {}
    for pk, start, status, many in found:
        line = counts.setdefault(pk, {}).setdefault(status, [0] * COLUMNS)
        line[min(max(start // widths[pk], 0), COLUMNS - 1)] += many
    for batch in batches:
        if batch.rollup and batch.pk in widths:
            _add_pruned(counts.setdefault(batch.pk, {}), rollup_of(batch), widths[batch.pk])
    return {pk: charts.spark(_ordered(lines), _("Plan by outcome")) for pk, lines in counts.items()}


def countable(batches: Sequence[Batch]) -> list[int]:
    """Return those batches whose executions can all be counted for one page, from the first on."""
    found, left = [], MOST_COUNTED
    for batch in batches:
        if 0 < batch.total <= left:
            left -= batch.total
            found.append(batch.pk)
    return found


def _add_pruned(lines: dict[str, list[int]], rollup: Rollup, width: int) -> None:
    for status, slices in rollup.counts.items():
        line = lines.setdefault(status, [0] * COLUMNS)
        for place, many in slices.items():
            line[min(place * rollup.width_ms // width, COLUMNS - 1)] += many


def _ordered(lines: dict[str, list[int]]) -> dict[str, list[int]]:
    return {status: lines[status] for status in OUTCOMES if status in lines}

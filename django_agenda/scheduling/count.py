"""Count the executions of a batch by slice: what became of them, how late, how long, what failed.

Each is one statement, or three for the failures, however many executions there are.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Case, Count, F, Max, Min, Q, QuerySet, Value, When

from django_agenda.models.execution import Execution
from django_agenda.models.happened import happened
from django_agenda.timing.steps import STEPS

from .grid import FEW, Grid

MOST_KINDS = 12
_MOST_MORE = 50
_MILLISECOND = timedelta(milliseconds=1)
_ENDED_BADLY = (Execution.Status.FAILED, Execution.Status.MISSED, Execution.Status.PENDING)

Outcomes = Counter[tuple[str, int]]
Lags = Counter[tuple[int, int]]


class Runs(NamedTuple):
    """Hold how many ran how long, by step, and the ends of what started; all in milliseconds."""

    steps: dict[int, int]
    longest_lag_ms: int | None
    first_start_ms: int | None
    last_end_ms: int | None


class Kind(NamedTuple):
    """Hold one kind of failure: how many, when they happened, and the position of the first.

    `many` have ended with it, `retrying` met it last; `line` counts them all by their plan.
    """

    fingerprint: str
    many: int
    retrying: int
    first_ms: int
    last_ms: int
    sample: int
    line: list[int]


class Kinds(NamedTuple):
    """Hold the largest kinds of failures, and how many more there are."""

    largest: list[Kind]
    more: int


def count_outcomes(rows: QuerySet[Execution], grid: Grid) -> Outcomes:
    """Count by (status, slice); an index covers that."""
    found = (
        _in_span(rows, grid)
        .annotate(slice=grid.slice_start)
        .values_list("slice", "status")
        .annotate(count=Count("*"))
        .order_by()
    )
    counts: Outcomes = Counter()
    for start, status, number in found:
        counts[status, grid.place(int(start))] += number
    return counts


def count_lags(rows: QuerySet[Execution], grid: Grid) -> Lags:
    """Count what has started by (slice, step of the lateness)."""
    found = (
        _in_span(rows, grid)
        .filter(lag_ms__isnull=False)
        .annotate(slice=grid.slice_start, step=sql_step("lag_ms"))
        .values_list("slice", "step")
        .annotate(count=Count("*"))
        .order_by()
    )
    counts: Lags = Counter()
    for start, step, number in found:
        counts[grid.place(int(start)), max(int(step), 0)] += number
    return counts


def count_runs(rows: QuerySet[Execution], grid: Grid, start: datetime) -> Runs:
    """Count what has started by how long it ran; the ends count from the start of the batch."""
    found = list(
        _in_span(rows, grid)
        .filter(lag_ms__isnull=False)
        .annotate(step=sql_step("run_ms"))
        .values_list("step")
        .annotate(
            count=Count("*"),
            lag=Max("lag_ms"),
            first=Min("started_at"),
            last=Max("finished_at"),
        )
        .order_by()
    )
    return Runs(
        {max(int(row[0]), 0): row[1] for row in found if row[0] is not None},
        max((row[2] for row in found), default=None),
        min((_offset(row[3], start) for row in found if row[3] is not None), default=None),
        max((_offset(row[4], start) for row in found if row[4] is not None), default=None),
    )


def count_failures(rows: QuerySet[Execution], grid: Grid, start: datetime) -> Kinds:
    """Count by kind what failed, was missed, was refused or is being retried."""
    troubled = (
        rows.exclude(error_fingerprint="")
        .exclude(status__in=("succeeded", "cancelled", "skipped"))
        .alias(happened_at=happened())
        .order_by()
    )
    found: list[Any] = list(
        troubled.values("error_fingerprint")
        .annotate(
            count=Count("*"),
            ended=Count("pk", filter=Q(status__in=_ENDED_BADLY)),
            first=Min("happened_at"),
            last=Max("happened_at"),
            sample=Min("position"),
        )
        .order_by("-count", "error_fingerprint")[: MOST_KINDS + _MOST_MORE]
    )
    shown = found[:MOST_KINDS]
    lines = _lines(troubled, grid, [row["error_fingerprint"] for row in shown])
    largest = [
        Kind(
            row["error_fingerprint"],
            row["ended"],
            row["count"] - row["ended"],
            _offset(row["first"], start),
            _offset(row["last"], start),
            row["sample"],
            lines[row["error_fingerprint"]],
        )
        for row in shown
    ]
    return Kinds(largest, len(found) - len(shown))


def sql_step(field: str) -> Any:
    """Return the SQL for the bottom of a duration's step."""
    *lower, (_, highest) = STEPS
    return Case(
        When(**{f"{field}__isnull": True}, then=Value(None)),
        *(When(**{f"{field}__lt": top}, then=F(field) - F(field) % width) for top, width in lower),
        default=F(field) - F(field) % highest,
    )


def _offset(moment: datetime, start: datetime) -> int:
    return (moment - start) // _MILLISECOND


def _in_span(rows: QuerySet[Execution], grid: Grid) -> QuerySet[Execution]:
    return rows.filter(planned_offset_ms__range=(grid.lo_ms, grid.hi_ms))


def _lines(rows: QuerySet[Execution], grid: Grid, kinds: list[str]) -> dict[str, list[int]]:
    lines = {fingerprint: [0] * FEW for fingerprint in kinds}
    found = (
        rows.filter(error_fingerprint__in=kinds)
        .annotate(slice=grid.slice_start)
        .values_list("error_fingerprint", "slice")
        .annotate(count=Count("*"))
    )
    for fingerprint, start, number in found:
        place = grid.place(int(start)) * FEW // grid.size
        lines[fingerprint][min(place, FEW - 1)] += number
    return lines

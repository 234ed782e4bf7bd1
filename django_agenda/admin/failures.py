"""The failures of a batch, grouped by what is one and the same problem."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from django_agenda.models.errors import normalise
from django_agenda.models.execution import Execution

from .slices import FEW, Grid

SHOWN = 12
_ENDED_BADLY = (Execution.Status.FAILED, Execution.Status.MISSED, Execution.Status.PENDING)
_READ = ("position", "status", "failed_stage", "error_class", "error_message", "task_name")


@dataclass(slots=True, kw_only=True)
class Group:
    """Hold one problem: how many met it, when, and one of them (not a row if it was pruned)."""

    fingerprint: str
    sample: Execution
    count: int
    retrying: int
    first_ms: int
    last_ms: int
    is_pruned: bool = False
    line: list[int] = field(default_factory=lambda: [0] * FEW)

    @property
    def message(self) -> str:
        """Return the sample's message without what differs from one to the next."""
        return normalise(self.sample.error_message)


@dataclass(slots=True, kw_only=True)
class Failures:
    """Hold the largest groups, and how many more there are."""

    groups: list[Group]
    more: int


def find_failures(rows: QuerySet[Execution], grid: Grid) -> Failures:
    """Group what failed, was missed, was refused or is being retried: three statements."""
    troubled = (
        rows.exclude(error_fingerprint="")
        .exclude(status__in=("succeeded", "cancelled", "skipped"))
        .order_by()
    )
    found: list[Any] = list(
        troubled.values("error_fingerprint")
        .annotate(
            count=Count("*"),
            ended=Count("pk", filter=Q(status__in=_ENDED_BADLY)),
            first=Min("planned_offset_ms"),
            last=Max("planned_offset_ms"),
            sample=Min("position"),
        )
        .order_by("-count", "error_fingerprint")[: SHOWN + 50]
    )
    shown = found[:SHOWN]
    if not shown:
        return Failures(groups=[], more=0)
    samples = {
        sample.position: sample
        for sample in rows.filter(position__in=[row["sample"] for row in shown]).only(*_READ)
    }
    groups = {row["error_fingerprint"]: _group(row, samples[row["sample"]]) for row in shown}
    _draw_lines(troubled, grid, groups)
    return Failures(groups=list(groups.values()), more=len(found) - len(shown))


def _group(row: Any, sample: Execution) -> Group:
    return Group(
        fingerprint=row["error_fingerprint"],
        sample=sample,
        count=row["ended"],
        retrying=row["count"] - row["ended"],
        first_ms=row["first"],
        last_ms=row["last"],
    )


def _draw_lines(rows: QuerySet[Execution], grid: Grid, groups: dict[str, Group]) -> None:
    found = (
        rows.filter(error_fingerprint__in=list(groups))
        .annotate(slice=grid.slice_start)
        .values_list("error_fingerprint", "slice")
        .annotate(count=Count("*"))
    )
    for fingerprint, start, number in found:
        line = groups[fingerprint].line
        line[min(grid.place(int(start)) * FEW // grid.size, FEW - 1)] += number

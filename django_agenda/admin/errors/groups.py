"""What went wrong within a week, grouped, counted and told apart by what was made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import TruncHour

from django_agenda.models.error_group import ErrorGroup
from django_agenda.models.execution import Execution
from django_agenda.models.happened import happened, id_of, latest

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
SHOWN = 50
MOST = 500
_MOST_WAITING = 1000
# A column of the small drawing; a week has 28 of them.
COLUMN = timedelta(hours=6)
COLUMNS = WEEK // COLUMN
ENDED_BADLY = (Execution.Status.FAILED, Execution.Status.MISSED)
_WELL = (Execution.Status.SUCCEEDED, Execution.Status.CANCELLED, Execution.Status.SKIPPED)
_REFUSED = Q(status=Execution.Status.PENDING, held_by="")
_READ = ("task_name", "failed_stage", "error_class", "error_message", "error_fingerprint")


@dataclass(slots=True, kw_only=True)
class Group:
    """Hold one kind of error.

    `ended` of its executions failed or were missed for good, `refused` wait for Redis.
    """

    fingerprint: str
    state: str
    mark: ErrorGroup | None
    hour: int
    day: int
    week: int
    ended: int
    refused: int
    tasks: int
    batches: int
    one_batch: int | None
    first: datetime
    last: datetime
    sample_id: UUID
    sample: Execution = field(default_factory=Execution)
    line: list[int] = field(default_factory=lambda: [0] * COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Hold the groups that are asked for, how many more there are, and how many in each state.

    `total` is how often all of those occurred that are asked for, with those that are more.
    """

    groups: list[Group]
    more: int
    states: Counter[str]
    total: int


def troubled(rows: QuerySet[Execution], moment: datetime) -> QuerySet[Execution]:
    """Keep what stands with an error that it met within a week, as `occurred`: see happened()."""
    # As a range as well: otherwise SQLite does not see that the sparse index fits.
    has_error = ~Q(error_fingerprint="") & Q(error_fingerprint__gt="")
    found = rows.filter(has_error).exclude(status__in=_WELL).alias(occurred=happened())
    return found.filter(occurred__gte=moment - WEEK).order_by()


def read_groups(
    rows: QuerySet[Execution], moment: datetime, *, state: str = "", only: str = ""
) -> Groups:
    """Read those of a state, or one alone, or all; the most frequent of the last day first.

    Four statements: the counts, the marks, the samples, and the small drawings.
    """
    found = _count(rows, moment, only)
    marks = read_marks(row["error_fingerprint"] for row in found)
    groups = [_group(row, marks.get(row["error_fingerprint"])) for row in found]
    chosen = [group for group in groups if state in ("", group.state)]
    shown = chosen[:SHOWN]
    _add_samples(rows, shown)
    _draw_lines(troubled(rows, moment), moment, {group.fingerprint: group for group in shown})
    return Groups(
        groups=[group for group in shown if group.sample.error_fingerprint],
        more=len(chosen) - len(shown),
        states=Counter(group.state for group in groups),
        total=sum(group.week for group in chosen),
    )


def waiting_tasks(rows: QuerySet[Execution]) -> set[str] | None:
    """Return the tasks of which something waits, or None when too much does to look at it all."""
    waiting = rows.filter(status__in=Execution.WAITING, finished_at__isnull=True).order_by()
    found = list(waiting.values_list("task_name", flat=True)[:_MOST_WAITING])
    return set(found) if len(found) < _MOST_WAITING else None


def read_marks(fingerprints: Iterable[str]) -> dict[str, ErrorGroup]:
    """Return what was made of these, by fingerprint: one statement."""
    return ErrorGroup.objects.in_bulk(list(fingerprints))


def _count(rows: QuerySet[Execution], moment: datetime, only: str) -> list[Any]:
    counted = troubled(rows, moment)
    if only:
        counted = counted.filter(error_fingerprint=only)
    return list(
        counted.values("error_fingerprint")
        .annotate(
            hour=Count("pk", filter=Q(occurred__gte=moment - HOUR)),
            day=Count("pk", filter=Q(occurred__gte=moment - DAY)),
            week=Count("pk"),
            ended=Count("pk", filter=Q(status__in=ENDED_BADLY)),
            refused=Count("pk", filter=_REFUSED),
            tasks=Count("task_name", distinct=True),
            batches=Count("batch", distinct=True),
            one_batch=Max("batch"),
            first=Min("occurred"),
            last=Max("occurred"),
            sample=latest("occurred"),
        )
        .order_by("-day", "-week", "error_fingerprint")[:MOST]
    )


def _group(row: Any, mark: ErrorGroup | None) -> Group:
    counted = {name: value for name, value in row.items() if name != "sample"}
    return Group(
        fingerprint=counted.pop("error_fingerprint"),
        state=mark.state_after(row["last"]) if mark else ErrorGroup.State.OPEN.value,
        mark=mark,
        sample_id=id_of(row["sample"]),
        **counted,
    )


def _add_samples(rows: QuerySet[Execution], groups: Sequence[Group]) -> None:
    found = rows.filter(pk__in=[group.sample_id for group in groups]).only(*_READ)
    samples = {sample.pk: sample for sample in found}
    for group in groups:
        group.sample = samples.get(group.sample_id, group.sample)


def _draw_lines(rows: QuerySet[Execution], moment: datetime, groups: dict[str, Group]) -> None:
    found = (
        rows.filter(error_fingerprint__in=list(groups))
        .annotate(hour=TruncHour("occurred", tzinfo=UTC))
        .values_list("error_fingerprint", "hour")
        .annotate(count=Count("pk"))
    )
    for fingerprint, hour, many in found:
        place = (hour - (moment - WEEK)) // COLUMN
        groups[fingerprint].line[min(max(place, 0), COLUMNS - 1)] += many

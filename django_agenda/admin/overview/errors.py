"""The errors of a day over all batches, grouped by what is one and the same problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import CharField, Count, Exists, Max, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Cast
from django.utils.safestring import SafeString

from django_agenda.admin import redaction, wording
from django_agenda.admin.actions.buttons import Button
from django_agenda.admin.errors.groups import ENDED_BADLY, read_marks
from django_agenda.admin.states import OUTCOMES, State
from django_agenda.models.error_group import ErrorGroup
from django_agenda.models.errors import normalise
from django_agenda.models.execution import Execution
from django_agenda.models.happened import happened

from .repairs import Repairs
from .scope import DAY, Scope

SHOWN = 8
_SLUGS = {"enqueue": "pending", "expired": "missed"}
_READ = ("task_name", "failed_stage", "error_class", "error_message", "error_fingerprint")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """Hold one problem, and one execution that met it."""

    fingerprint: str
    state: State
    stage: str
    name: str
    message: str
    task: str
    count: str
    batches: int
    first: SafeString | str
    last: SafeString | str
    sample: Execution
    repairs: list[Button]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRows:
    """Hold the largest groups, how many more there are, and how many somebody has dealt with."""

    rows: list[ErrorRow]
    more: int
    closed: int


def read_errors(
    rows: QuerySet[Execution], scope: Scope, moment: datetime, repairs: Repairs | None = None
) -> ErrorRows:
    """Group what failed, was missed, or is tried again, by errors that occurred within a day.

    What somebody resolved or ignored is left out. Three statements.
    """
    since = moment - DAY
    # In each branch, and as a range: otherwise SQLite does not see that the sparse index fits.
    has_error = ~Q(error_fingerprint="") & Q(error_fingerprint__gt="")
    members = Q(batch__in=[batch.pk for batch in scope.batches if _has_errors(batch)])
    singles = Q(batch=None) & has_error
    found: list[Any] = list(
        rows.filter(members & has_error | singles)
        .exclude(status__in=("succeeded", "cancelled", "skipped"))
        .alias(occurred_at=happened())
        .filter(occurred_at__gte=since)
        .order_by()
        .values("error_fingerprint")
        .annotate(
            count=Count("*"),
            ended=Count("pk", filter=Q(status__in=ENDED_BADLY)),
            batches=Count("batch", distinct=True),
            first=Min("occurred_at"),
            last=Max("occurred_at"),
            # Any will do, only its kind is shown; PostgreSQL knows no smallest UUID.
            sample=Max(Cast("id", CharField())),
        )
        .order_by("-count", "error_fingerprint")[: SHOWN + 50]
    )
    marks = read_marks(row["error_fingerprint"] for row in found)
    is_open = ErrorGroup.State.OPEN
    open_ = [
        row
        for row in found
        if (mark := marks.get(row["error_fingerprint"])) is None
        or mark.state_after(row["last"]) == is_open
    ]
    shown = open_[:SHOWN]
    samples = _samples(rows, [UUID(row["sample"]) for row in shown])
    groups = [
        _row(row, samples[row["error_fingerprint"]], moment, _buttons(row, scope, repairs))
        for row in shown
        if row["error_fingerprint"] in samples
    ]
    return ErrorRows(rows=groups, more=len(open_) - len(shown), closed=len(found) - len(open_))


def read_closed(rows: QuerySet[Execution], scope: Scope) -> dict[tuple[int, str], int]:
    """Count, by batch and status, what ended badly and is ignored or resolved: one statement.

    What occurs after somebody resolved it counts; what occurred before stays resolved.
    """
    state = ErrorGroup.State
    closed = ErrorGroup.objects.exclude(state=state.OPEN).order_by()
    stands = Q(state=state.IGNORED) | Q(changed_at__gte=OuterRef("occurred_at"))
    found = (
        rows.filter(
            ~Q(error_fingerprint=""),
            batch__in=[batch.pk for batch in scope.batches if batch.failed or batch.missed],
            error_fingerprint__in=closed.values("pk"),
            status__in=ENDED_BADLY,
        )
        .alias(occurred_at=happened())
        .filter(Exists(closed.filter(stands, pk=OuterRef("error_fingerprint"))))
        .order_by()
        .values_list("batch", "status")
        .annotate(count=Count("pk"))
    )
    return {(batch, status): many for batch, status, many in found}


def _has_errors(batch: Any) -> bool:
    """Leave out what is calm; what is being retried shows in no count, so the living stay."""
    return bool(batch.failed or batch.missed or batch.pending or not batch.is_finished)


def _samples(rows: QuerySet[Execution], ids: Sequence[UUID]) -> dict[str, Execution]:
    return {row.error_fingerprint: row for row in rows.filter(pk__in=ids).only(*_READ)}


def _buttons(row: Any, scope: Scope, repairs: Repairs | None) -> list[Button]:
    if repairs is None:
        return []
    return repairs.of_error(row["error_fingerprint"], row["ended"], is_all=not scope.more)


def _row(row: Any, sample: Execution, moment: datetime, repairs: list[Button]) -> ErrorRow:
    state = OUTCOMES[_SLUGS.get(sample.failed_stage, "failed")]
    return ErrorRow(
        fingerprint=row["error_fingerprint"],
        state=state,
        stage=sample.get_failed_stage_display() or str(state.label),
        name=wording.short_task(sample.error_class),
        message=normalise(redaction.text(sample.error_message)),
        task=wording.short_task(sample.task_name),
        count=wording.count(row["count"]),
        batches=row["batches"],
        first=wording.time_tag(row["first"], moment, seconds=False),
        last=wording.time_tag(row["last"], moment, seconds=False),
        sample=sample,
        repairs=repairs,
    )

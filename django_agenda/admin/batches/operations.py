"""The operations that are about one batch: those under way, and those that ended lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString

from django_agenda.admin import wording
from django_agenda.admin.operations.progress import name_of, progress_bar, sentence_of, state_of
from django_agenda.admin.states import State
from django_agenda.models.batch import Batch
from django_agenda.models.operation import Operation

if TYPE_CHECKING:
    from django_agenda.admin.read_only import ReadOnlyAdmin

LATELY = timedelta(hours=1)
_MOST_READ, _MOST_SHOWN = 100, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRow:
    """Hold one operation as it is shown on the page of its batch."""

    url: str
    name: str
    state: State
    sentence: str
    bar: SafeString
    by: str
    when: SafeString | str


def operations_of(
    admin: ReadOnlyAdmin, request: HttpRequest, batch: Batch, moment: datetime
) -> list[Operation]:
    """Return the latest that name the batch, for those who may see operations."""
    if not admin.can_see(request, Operation):
        return []
    current = Q(status__in=Operation.OPEN) | Q(finished_at__gte=moment - LATELY)
    # Which batches one is about is JSON, and operations that are under way are few.
    rows = Operation.objects.defer("wish").filter(current, model=Batch._meta.model_name)
    found = rows[:_MOST_READ]
    return [one for one in found if batch.pk in one.subjects][:_MOST_SHOWN]


def operation_rows(
    admin: ReadOnlyAdmin, operations: list[Operation], moment: datetime
) -> list[OperationRow]:
    """Return them as they are shown."""
    return [
        OperationRow(
            url=admin.url_of(one),
            name=name_of(one),
            state=state_of(one),
            sentence=sentence_of(one),
            bar=progress_bar(one),
            by=one.by,
            when=wording.time_tag(one.created_at, moment),
        )
        for one in operations
    ]

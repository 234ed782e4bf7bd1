"""Who did what, when and why: entries of the admin's log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from django_agenda.admin import wording
from django_agenda.models.batch import Batch

# Of more rows than this one entry is written for all of them.
ONE_BY_ONE = 1000
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Hold one entry as it is shown."""

    number: int
    when: SafeString | str
    user: str
    words: str


def named(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Read of these what their names are made of."""
    names = ("name",) if rows.model is Batch else ("key", "task_name")
    return rows.select_related(None).only(*names)


def write_down(request: HttpRequest, rows: Sequence[Model], message: str) -> None:
    """Write an entry for each row, or one without a row when they are too many."""
    user_id: Any = request.user.pk
    if len(rows) <= ONE_BY_ONE:
        LogEntry.objects.log_actions(user_id, rows, CHANGE, message)
        return
    model = type(rows[0])
    LogEntry.objects.create(
        user_id=user_id,
        content_type=ContentType.objects.get_for_model(model, for_concrete_model=False),
        object_id=None,
        object_repr=str(model._meta.verbose_name_plural),
        action_flag=CHANGE,
        change_message=message,
    )


def deeds(row: Model, moment: datetime) -> list[Deed]:
    """Return the last entries of a row, the newest first: one statement."""
    kind = ContentType.objects.get_for_model(row, for_concrete_model=False)
    found = LogEntry.objects.filter(content_type=kind, object_id=str(row.pk))
    return [
        Deed(
            number=entry.pk,
            when=wording.time_tag(entry.action_time, moment),
            user=str(entry.user),
            words=entry.get_change_message(),
        )
        for entry in found.select_related("user").order_by("-action_time")[:_SHOWN]
    ]

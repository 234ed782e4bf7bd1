"""Who did what, when and why: entries of the admin's log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from django_agenda.admin import wording
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.operation import Operation
from django_agenda.models.queue import Queue

# Of more rows than this one entry is written for all of them.
ONE_BY_ONE = 1000
_SHOWN = 10
_RESUMED = re.compile(r"Resumed |Began operation \d+: Resume ")
_SINCE = re.compile(r"\bIt was paused since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Hold one entry as it is shown."""

    number: int
    at: datetime
    when: SafeString | str
    user: str
    words: str
    is_pause: bool = False
    is_resume: bool = False
    paused_since: datetime | None = None


def named(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Read of these what their names are made of."""
    names = {Execution: ("key", "task_name"), Batch: ("name", "paused_at", "pause_reason")}
    return rows.select_related(None).only(*names.get(rows.model, ("name",)))


def write_down(request: HttpRequest, rows: Sequence[Model], message: str, *more: str) -> None:
    """Write an entry for each row, or one without a row when they are too many.

    That of a batch which is resumed says since when it was paused: its own row forgets that. The
    rows are as they were before; `more` is said after it.
    """
    user_id: Any = request.user.pk
    if len(rows) <= ONE_BY_ONE:
        alike: dict[str, list[Model]] = {}
        for row in rows:
            words = [message, *_pause_of(row, message), *more]
            alike.setdefault(" ".join(words), []).append(row)
        for said, those in alike.items():
            LogEntry.objects.log_actions(user_id, those, CHANGE, said)
        return
    model = type(rows[0])
    LogEntry.objects.create(
        user_id=user_id,
        content_type=ContentType.objects.get_for_model(model, for_concrete_model=False),
        object_id=None,
        object_repr=str(model._meta.verbose_name_plural),
        action_flag=CHANGE,
        change_message=" ".join([message, *more]),
    )


def _pause_of(row: Model, message: str) -> list[str]:
    if not (isinstance(row, Batch) and row.paused_at and _RESUMED.match(message)):
        return []
    why = f": {row.pause_reason}" if row.pause_reason else ""
    return [f"It was paused since {row.paused_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC{why}."]


def write_down_one(request: HttpRequest, name: str, message: str) -> None:
    """Write an entry for what has no row of its own: a queue, or all of them without a name."""
    user_id: Any = request.user.pk
    LogEntry.objects.create(
        user_id=user_id,
        content_type=ContentType.objects.get_for_model(Queue, for_concrete_model=False),
        object_id=name or None,
        object_repr=name or str(Queue._meta.verbose_name_plural),
        action_flag=CHANGE,
        change_message=message,
    )


def write_down_on(user_id: str, row: Model, message: str) -> None:
    """Write an entry for one row, by somebody who may be gone by now: then there is none."""
    if not get_user_model()._default_manager.filter(pk=user_id).exists():
        return
    LogEntry.objects.create(
        user_id=user_id,
        content_type=ContentType.objects.get_for_model(row, for_concrete_model=False),
        object_id=str(row.pk),
        object_repr=str(row)[:200],
        action_flag=CHANGE,
        change_message=message,
    )


def write_down_end(operation: Operation) -> None:
    """Write what came of an operation, for itself and for the batches that it was about."""
    done, skipped, failed = operation.done, operation.skipped, operation.failed
    counts = f"{done:,} done, {skipped:,} skipped, {failed:,} failed"
    said = f"{operation.status}: {counts} of {operation.total:,}."
    write_down_on(operation.by_id, operation, said.capitalize())
    for batch in Batch.objects.filter(pk__in=operation.subjects).only("name"):
        write_down_on(operation.by_id, batch, f"Operation {operation.pk} {said}")


def deeds(row: Model, moment: datetime) -> list[Deed]:
    """Return the last entries of a row, the newest first: one statement."""
    return _read(_entries_of(row).filter(object_id=str(row.pk)), moment)


def deeds_of(model: type[Model], moment: datetime) -> list[Deed]:
    """Return the last entries of a model, the newest first: one statement."""
    return _read(_entries_of(model), moment)


def _entries_of(model: Model | type[Model]) -> QuerySet[LogEntry]:
    kind = ContentType.objects.get_for_model(model, for_concrete_model=False)
    return LogEntry.objects.filter(content_type=kind)


def _read(found: QuerySet[LogEntry], moment: datetime) -> list[Deed]:
    return [
        Deed(
            number=entry.pk,
            at=entry.action_time,
            when=wording.time_tag(entry.action_time, moment),
            user=str(entry.user),
            words=entry.get_change_message(),
            is_pause=entry.change_message.startswith("Paused "),
            # The log is English; of many the resume is an operation.
            is_resume=bool(_RESUMED.match(entry.change_message)),
            paused_since=_since(entry.change_message),
        )
        for entry in found.select_related("user").order_by("-action_time")[:_SHOWN]
    ]


def _since(message: str) -> datetime | None:
    found = _SINCE.search(message) if _RESUMED.match(message) else None
    try:
        return datetime.fromisoformat(f"{found[1]}+00:00") if found else None
    except ValueError:  # somebody's reason
        return None

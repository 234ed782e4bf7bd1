"""Batches as files: what they were made of and what came of them, for spreadsheets and programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from django_agenda.admin import redaction
from django_agenda.admin.states import OUTCOMES
from django_agenda.clock import now
from django_agenda.models.batch import Batch

_AT_ONCE = 2000
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def described(batch: Batch) -> dict[str, Any]:
    """Return a batch as plain values: moments as ISO 8601 in UTC, durations in seconds."""
    moments = {
        "created_at": batch.created_at,
        "start": batch.start,
        "end": batch.end,
        "started_at": batch.started_at,
        "finished_at": batch.finished_at,
        "paused_at": batch.paused_at,
    }
    return {
        "id": batch.pk,
        "name": batch.name,
        "key": batch.key,
        "labels": list(batch.labels),
        "status": "" if batch.pk is None else batch.status,
        **{name: at and at.isoformat() for name, at in moments.items()},
        "over_s": batch.over.total_seconds(),
        "jitter_s": batch.jitter.total_seconds() if batch.jitter else None,
        "strategy": batch.strategy,
        "seed": batch.seed,
        "total": batch.total,
        "enqueued": batch.enqueued,
        **{name: getattr(batch, name) for name in OUTCOMES},
        "progress": round(batch.progress, 6),
        "pause_reason": redaction.text(batch.pause_reason),
        "enqueue_error": redaction.text(batch.enqueue_error),
    }


def as_csv(rows: QuerySet[Batch]) -> StreamingHttpResponse:
    """Return a table with a line for each batch; the labels of one are separated by blanks."""
    return _file(_csv_lines(rows), "text/csv", "csv")


def as_json(rows: QuerySet[Batch]) -> StreamingHttpResponse:
    """Return a list with an object for each batch."""
    return _file(_json_parts(rows), "application/json", "json")


def _file(parts: Iterable[str], kind: str, ending: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="batches.{ending}"'}
    return StreamingHttpResponse(parts, content_type=f"{kind}; charset=utf-8", headers=headers)


class _Line:
    """Stand for a file: give back what is written."""

    def write(self, text: str) -> str:
        return text


def _csv_lines(rows: QuerySet[Batch]) -> Iterator[str]:
    writer: Any = csv.writer(_Line())
    empty = Batch(start=now(), over=timedelta())
    yield writer.writerow(described(empty))
    for batch in rows.iterator(_AT_ONCE):
        found = {**described(batch), "labels": " ".join(batch.labels)}
        yield writer.writerow([_cell(value) for value in found.values()])


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _json_parts(rows: QuerySet[Batch]) -> Iterator[str]:
    before = "["
    for batch in rows.iterator(_AT_ONCE):
        yield before + json.dumps(described(batch), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[" else "]\n"

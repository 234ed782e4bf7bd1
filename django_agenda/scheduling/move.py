"""Give executions that wait another moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Max, Min, QuerySet

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.models import bulk
from django_agenda.models.execution import Execution

from .change import Changed, Ids, carry_out, with_moments
from .hold import WAITING

_COLUMNS = ("id", "due_at", "expires_at", "planned_offset_ms")
_IN_LINE = f"e.held_by = '{Execution.NO_SLOT}'"
_CHANGES = {
    **{name: f"x.{name}" for name in _COLUMNS[1:]},
    # Who waits for a slot comes back at the new moment like any other, and to the millisecond.
    "gate": f"CASE WHEN {_IN_LINE} THEN NULL ELSE e.gate END",
    "held_by": f"CASE WHEN {_IN_LINE} THEN '' ELSE e.held_by END",
}
_MILLISECOND = timedelta(milliseconds=1)

Moments = Iterator[datetime] | timedelta


class _Known(NamedTuple):
    """Hold what a row's new moment depends on; `start` is that of its batch."""

    due_at: datetime
    expires_ms: int | None
    start: datetime | None


def move(using: str, ids: Ids, moments: Moments, *, before: datetime | None = None) -> int:
    """Give each of these that waits its moment; a timedelta is added to what each has.

    What expires does so as long after its new moment. `planned_offset_ms` follows, for this is a
    new plan; `slot_offset_ms` stays. Held ones stay held, and are not told to the broker; who waits
    for a slot leaves its line. With `before` only those are moved that are due before that.
    """
    return carry_out(using, with_moments(ids, moments), partial(_move, using, before))


def check_reach(rows: QuerySet[Execution], latest: datetime | None, by: timedelta) -> None:
    """Raise ValueError when a row would be due, or expire, beyond the years 1 to 9999."""
    found = rows.aggregate(first=Min("due_at"), last=Max("due_at"), expires=Max("expires_ms"))
    if found["last"] is None:
        return
    try:
        found["first"] + by
        last = (latest or found["last"]) + by
        last + timedelta(milliseconds=found["expires"] or 0)
    except OverflowError:
        wish = f"'by' {by!r}" if latest is None else str(latest)
        raise ValueError(f"This leads beyond the years 1 to 9999: {wish}") from None


def _move(
    using: str, before: datetime | None, page: tuple[list[str], Sequence[datetime | timedelta]]
) -> Changed:
    ids, moments = page
    found = Execution.objects.using(using).filter(pk__in=ids, status__in=Execution.WAITING)
    known = {
        id_.hex: _Known(due_at, expires_ms, start)
        for id_, due_at, expires_ms, start in found.order_by().values_list(
            "pk", "due_at", "expires_ms", "batch__start"
        )
    }
    connection = connections[using]
    rows = [
        _row(id_, new, known[id_], connection)
        for id_, new in zip(ids, moments, strict=True)
        if id_ in known
    ]
    changed = bulk.update(
        using,
        Execution,
        _COLUMNS,
        sorted(rows),
        changes=_CHANGES,
        guard=WAITING if before is None else f"{WAITING} AND e.due_at < %s",
        guard_params=[] if before is None else [bulk.moment_text(before, connection)],
        returning=("id", "queue_name", "due_at", "priority", "status", "held_by"),
    )
    entries = [
        Entry(bulk.read_id(row[0]), row[1], due_ms(bulk.read_moment(row[2], connection)), row[3])
        for row in changed
        if row[4] == Execution.Status.SCHEDULED and not row[5]
    ]
    return Changed(count=len(changed), entries=entries)


def _row(id_: str, new: datetime | timedelta, known: _Known, connection: Any) -> list[Any]:
    moment = known.due_at + new if isinstance(new, timedelta) else new
    expires_at = None
    if known.expires_ms is not None:
        expires_at = moment + timedelta(milliseconds=known.expires_ms)
    return [
        id_,
        bulk.moment_text(moment, connection),
        bulk.moment_text(expires_at, connection),
        0 if known.start is None else (moment - known.start) // _MILLISECOND,
    ]

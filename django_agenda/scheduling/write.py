"""Write planned calls down as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from django.db import connections

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.clock import now
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.models.identity import uuid7_hexes
from django_agenda.models.schedule import Schedule
from django_agenda.tasks.context import running_id
from django_agenda.tasks.payload import encode_result

from .struck import Struck, under_strikes

COLUMNS = (
    "id",
    "position",
    "task_name",
    "args",
    "kwargs",
    "key",
    "live_key",
    "labels",
    "queue_name",
    "priority",
    "max_attempts",
    "due_at",
    "expires_ms",
    "expires_at",
    "planned_offset_ms",
    "slot_offset_ms",
)
TICK_COLUMNS = ("schedule", "tick_at", "terms")
_LIVE_KEY = COLUMNS.index("live_key")
_KEY = COLUMNS.index("key")

_MILLISECOND = timedelta(milliseconds=1)
_UNTOUCHED = {
    "attempts": 0,
    "crashes": 0,
    "worker": "",
    "failed_stage": "",
    "error_class": "",
    "error_message": "",
    "traceback": "",
    "error_fingerprint": "",
    "progress_message": "",
}


class Runnable(Protocol):
    """Say what a row needs to know of a task."""

    @property
    def name(self) -> str: ...
    @property
    def queue_name(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def max_attempts(self) -> int: ...
    @property
    def expires(self) -> timedelta | None: ...


class Plan(NamedTuple):
    """Hold one call with its due time; offsets are microseconds from the start of the batch."""

    task: Runnable
    args: str
    kwargs: str
    key: str | None
    labels: str
    due_at: datetime
    planned_us: int = 0
    slot_us: int = 0

    def entry(self, id_: str) -> Entry:
        """Return what the broker is to have of it, without what a batch overrides."""
        return Entry(id_, self.task.queue_name, due_ms(self.due_at), self.task.priority)


class Tick(NamedTuple):
    """Say which schedule a plan is a run of, and of which tick; None is one that is run now."""

    schedule: Schedule
    tick_at: datetime | None


class Overrides(NamedTuple):
    """Hold what a scatter says instead of its tasks; None leaves it to the task."""

    queue_name: str | None = None
    priority: int | None = None
    expires: timedelta | None = None


class Place(NamedTuple):
    """Say where in which batch the rows belong."""

    batch_id: int | None = None
    first_position: int = 0
    overrides: Overrides = Overrides()


NOWHERE = Place()


class Written(NamedTuple):
    """Hold the new ids in the order of the plans; whose key was alive, and which are held."""

    ids: list[str]
    taken: set[str]
    held: set[str]


def write(
    using: str,
    plans: Sequence[Plan],
    place: Place = NOWHERE,
    *,
    callback_of: int | None = None,
    ticks: Sequence[Tick] = (),
    held_by: str = "",
) -> Written:
    """Insert one row a plan, as `scheduled`, in one statement; must run inside a transaction.

    The row of a key that is alive already is not written: its id is in `taken`. `ticks` are those
    of the plans, one each, or none. What a body writes names it as its parent. What a strike
    matches is held by it, and is not to be enqueued, unless all are `held_by` something else.
    """
    rows = _rows(using, plans, place)
    keyed = any(plan.key is not None for plan in plans)
    constants = _fixed(using, place) | {
        "status": Execution.Status.SCHEDULED.value,
        "callback_of": callback_of,
    }
    if callback_of is not None:
        # Its batch has called it, not the body that was the last to end.
        constants["parent"] = None
    for row, tick in zip(rows, ticks, strict=bool(ticks)):
        row.extend(_tick_values(using, tick))
    ids = [str(row[0]) for row in rows]
    held: set[str] = set()

    def insert(strikes: Struck) -> int:
        reasons = _reasons(plans, strikes, held_by)
        held.clear()
        held.update(id_ for id_, reason in zip(ids, reasons, strict=True) if reason)
        return bulk.insert(
            using,
            Execution,
            (*COLUMNS, *TICK_COLUMNS, "held_by") if ticks else (*COLUMNS, "held_by"),
            [[*row, reason] for row, reason in zip(rows, reasons, strict=True)],
            constants=constants,
            unless_taken="live_key" if keyed else None,
            guard=strikes.guard(using),
        )

    under_strikes(using, insert)
    return Written(ids, _left_out(using, rows) if keyed else set(), held)


def _reasons(plans: Sequence[Plan], strikes: Struck, held_by: str) -> list[str]:
    if held_by or not strikes:
        return [held_by] * len(plans)
    return [strikes.holds(plan.task.name, plan.args, plan.kwargs) for plan in plans]


def write_skipped(using: str, plans: Sequence[Plan], written: Written, place: Place) -> None:
    """Insert those plans of a batch whose key was alive, as `skipped`."""
    skipped = []
    for row, id_ in zip(_rows(using, plans, place), written.ids, strict=True):
        if id_ in written.taken:
            row[0], row[_LIVE_KEY] = id_, None
            skipped.append(row)
    fixed = _fixed(using, place)
    finished = {"status": Execution.Status.SKIPPED.value, "finished_at": fixed["created_at"]}
    finished["held_by"] = ""
    bulk.insert(using, Execution, COLUMNS, skipped, constants=fixed | finished)


def _rows(using: str, plans: Sequence[Plan], place: Place) -> list[list[Any]]:
    connection = connections[using]
    rows: list[list[Any]] = []
    ids = uuid7_hexes(len(plans))
    seen: dict[Runnable, tuple[Any, ...]] = {}
    for position, plan in enumerate(plans, place.first_position):
        task = plan.task
        if task not in seen:
            seen[task] = _policies(task, place.overrides)
        queue_name, priority, max_attempts, expires, expires_ms = seen[task]
        due_at = plan.due_at
        expires_at = None
        if expires is not None:
            expires_at = bulk.moment_text(_later(due_at, expires), connection)
        rows.append(
            [
                ids[position - place.first_position],
                position,
                task.name,
                plan.args,
                plan.kwargs,
                plan.key,
                plan.key,
                plan.labels,
                queue_name,
                priority,
                max_attempts,
                bulk.moment_text(due_at, connection),
                expires_ms,
                expires_at,
                plan.planned_us // 1000,
                plan.slot_us // 1000,
            ]
        )
    return rows


def _tick_values(using: str, tick: Tick) -> list[Any]:
    terms = tick.schedule.terms
    moment = bulk.moment_text(tick.tick_at, connections[using])
    return [tick.schedule.pk, moment, None if terms is None else encode_result(terms)]


def _later(due_at: datetime, expires: timedelta) -> datetime:
    try:
        return due_at + expires
    except OverflowError:
        raise ValueError(f"'expires' leads past the year 9999: {expires!r}") from None


def _policies(task: Runnable, overrides: Overrides) -> tuple[Any, ...]:
    expires = task.expires if overrides.expires is None else overrides.expires
    return (
        overrides.queue_name or task.queue_name,
        task.priority if overrides.priority is None else overrides.priority,
        task.max_attempts,
        expires,
        None if expires is None else expires // _MILLISECOND,
    )


def _fixed(using: str, place: Place) -> dict[str, Any]:
    connection = connections[using]
    created_at = bulk.moment_text(now(), connection)
    parent = Execution._meta.pk.get_db_prep_value(running_id(), connection)
    return {**_UNTOUCHED, "batch": place.batch_id, "parent": parent, "created_at": created_at}


def _left_out(using: str, rows: Sequence[Sequence[Any]]) -> set[str]:
    keyed = [row[0] for row in rows if row[_KEY] is not None]
    found = Execution.objects.using(using).filter(pk__in=keyed).values_list("pk", flat=True)
    return set(keyed) - {id_.hex for id_ in found}

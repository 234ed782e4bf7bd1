"""Let those of a claim run that pass their gates, and put the others back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections

from django_agenda.broker.entry import Entry
from django_agenda.clock import monotonic, now
from django_agenda.exceptions import UnknownTask
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.scheduling.gates import lock
from django_agenda.scheduling.leave import Start
from django_agenda.scheduling.slots import InLine
from django_agenda.tasks.gates import gates_of
from django_agenda.tasks.registry import lookup
from django_agenda.tasks.task import Task

from .book import Book
from .candidate import COLUMNS, RUNNING, SKIPPED, Candidate, Door, Row, us_of
from .cooldowns import Cooldowns
from .debounces import Debounces
from .rates import Rates
from .slots import Slots

_RUNS = f"x.status = '{RUNNING}'"
# What was pending is scheduled from here on; the stage last, since it is asked for.
_BLAMES = ("error_class", "error_message", "error_fingerprint", "failed_stage")
_REMAINS = f"{_RUNS} OR e.failed_stage <> 'enqueue'"
_CHANGES = {
    **{name: f"x.{name}" for name in ("held_by", "held_at", "gate", "finished_at")},
    **{name: f"COALESCE(x.{name}, e.{name})" for name in ("due_at", "moved_by")},
    "attempts": f"CASE WHEN {_RUNS} THEN e.attempts ELSE e.attempts - 1 END",
    "claimed_by": f"CASE WHEN {_RUNS} THEN e.claimed_by END",
    "worker": f"CASE WHEN {_RUNS} THEN e.worker ELSE '' END",
    "started_at": f"CASE WHEN {_RUNS} THEN e.started_at END",
    "live_key": f"CASE WHEN x.status <> '{SKIPPED}' THEN e.live_key END",
    **{name: f"CASE WHEN {_REMAINS} THEN e.{name} ELSE '' END" for name in _BLAMES},
    "error_message": (
        f"CASE WHEN x.status = '{SKIPPED}' THEN x.error_message"
        f" WHEN {_REMAINS} THEN e.error_message ELSE '' END"
    ),
    "failed_stage": f"CASE WHEN {_REMAINS} THEN e.failed_stage ELSE '' END",
    "status": "x.status",
}


class Passed(NamedTuple):
    """Say in how many seconds it may begin, which slot it has, and which start of a rate."""

    wait: float
    slot: str | None = None
    start: Start | None = None


class Judged(NamedTuple):
    """Hold what passed, as it was claimed, and what became of the rest.

    `passed` knows those by id that had gates to pass; `moves` are the changes of status of those
    that did not, as counters.tally() takes them; `entries` are to be enqueued after the commit.
    `vacated` are gates in whose lines some of them were, and are no more.
    """

    rows: list[Row]
    passed: Mapping[str, Passed] = {}
    moves: Sequence[tuple[int | None, str, str]] = ()
    entries: Sequence[Entry] = ()
    vacated: AbstractSet[str] = frozenset()


def judge(using: str, rows: list[Row], moment: datetime, starts: float, blur: float) -> Judged:
    """Judge rows as the claim returns them, in its transaction.

    `moment` and `starts` are one instant, of the broker's clock and of the monotonic one, which may
    be later by up to `blur` seconds. Must come before the counts of batches are changed: outcomes
    lock in that order.
    """
    gated = _gated({row[2] for row in rows})
    if not gated:
        return Judged(rows)
    found = [_candidate(using, row, gated[row[2]]) for row in rows if row[2] in gated]
    found.sort(key=lambda one: one.place)
    gates = lock(using, {key.id: key for one in found for key in one.keys.values()})
    written_at, moment_us = now(), us_of(moment)
    # Who had to wait for the lock starts later than it was meant to.
    present_us = moment_us + int((monotonic() - starts) * 1_000_000)
    for one in found:
        one.starts_us = max(one.due_us, present_us)
    book = Book(using, gates, written_at)
    _recall(using, found)
    slots, rates = Slots(using, book, found, written_at), Rates(using, book, found)
    debounces = Debounces(using, book, found, present_us)
    doors: Sequence[Door] = (Cooldowns(using, book, found), debounces, rates, slots)
    for one in found:
        if all(door.lets(one) for door in doors):
            for door in doors:
                door.passed(one)
    rates.finish()
    let_in = slots.let_in()
    book.write()
    _write(using, found, written_at)
    return _judged(rows, found, let_in, moment_us, int(blur * 1_000_000))


def _gated(names: Iterable[str]) -> dict[str, Task[..., Any]]:
    tasks: dict[str, Task[..., Any]] = {}
    for name in names:
        try:
            task = lookup(name)
        except UnknownTask:
            continue
        if task.policies is not None:
            tasks[name] = task
    return tasks


def _candidate(using: str, row: Row, task: Task[..., Any]) -> Candidate:
    due_at = bulk.read_moment(row[8], connections[using])
    place = InLine(-row[12], due_at.timestamp(), bulk.read_id(row[0]))
    assert task.policies is not None  # noqa: S101
    keys = gates_of(task, row[3], row[4])
    return Candidate(row, task.policies, keys, place, us_of(due_at))


def _recall(using: str, found: Sequence[Candidate]) -> None:
    """Read which of them were put off before, where that matters."""
    by_id = {UUID(one.id): one for one in found if one.policies.rate or one.policies.debounce}
    if by_id:
        rows = Execution.objects.using(using).filter(pk__in=by_id, moved_by__isnull=False)
        for id_, moved_by in rows.values_list("pk", "moved_by"):
            by_id[id_].moved_by = moved_by.hex if moved_by else None


def _write(using: str, found: Sequence[Candidate], moment: datetime) -> None:
    rows = sorted(
        one.columns(using, moment)
        for one in found
        if one.status != RUNNING or one.policies.concurrency
    )
    if rows:
        guard = f"e.status = '{RUNNING}'"
        bulk.update(using, Execution, COLUMNS, rows, changes=_CHANGES, guard=guard)


def _judged(
    rows: list[Row],
    found: Sequence[Candidate],
    let_in: Sequence[Entry],
    moment_us: int,
    blur_us: int,
) -> Judged:
    out = [one for one in found if one.status != RUNNING]
    gone = {one.id for one in out}
    moved = [entry for one in out if (entry := one.entry())]
    return Judged(
        [row for row in rows if bulk.read_id(row[0]) not in gone] if out else rows,
        {one.id: _passed(one, moment_us, blur_us) for one in found if one.status == RUNNING},
        [one.move_of_status() for one in out],
        [*let_in, *moved],
        {one.vacated for one in found if one.vacated is not None},
    )


def _passed(one: Candidate, moment_us: int, blur_us: int) -> Passed:
    wait = (one.starts_us - moment_us) / 1_000_000
    slot, rate = one.keys.get("concurrency"), one.policies.rate
    start = None
    if rate is not None:
        # A body may begin later than its claim believes, by as much.
        tolerance_us = rate.tolerance_us - blur_us
        start = Start(one.keys["rate"].id, one.starts_us + rate.tolerance_us, tolerance_us)
    return Passed(wait, None if slot is None else slot.id, start)

"""Judge what was claimed by the policies of its tasks, in the claim's own transaction.

What does not pass waits again, its attempt uncounted: for a slot (see scheduling.slots).
Tasks without policies are not looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connections

from django_agenda.broker.entry import Entry
from django_agenda.clock import now
from django_agenda.exceptions import UnknownTask
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.models.gate import Gate
from django_agenda.scheduling.gates import USED_EVERY, Locked, lock
from django_agenda.scheduling.slots import InLine, admit, busy, in_line
from django_agenda.tasks.gates import Key, gates_of
from django_agenda.tasks.registry import lookup
from django_agenda.tasks.task import Task

Row = tuple[Any, ...]

_COLUMNS = ("id", "status", "held_by", "held_at", "gate")
_RUNNING = Execution.Status.RUNNING.value
_SCHEDULED = Execution.Status.SCHEDULED.value
_RUNS = f"x.status = '{_RUNNING}'"
# What was pending is scheduled from here on; the stage last, since it is asked for.
_BLAMES = ("error_class", "error_message", "error_fingerprint", "failed_stage")
_CHANGES = {
    "attempts": f"CASE WHEN {_RUNS} THEN e.attempts ELSE e.attempts - 1 END",
    "claimed_by": f"CASE WHEN {_RUNS} THEN e.claimed_by END",
    "worker": f"CASE WHEN {_RUNS} THEN e.worker ELSE '' END",
    "started_at": f"CASE WHEN {_RUNS} THEN e.started_at END",
    **{
        name: f"CASE WHEN {_RUNS} OR e.failed_stage <> 'enqueue' THEN e.{name} ELSE '' END"
        for name in _BLAMES
    },
    **{name: f"x.{name}" for name in _COLUMNS[1:]},
}


class Judged(NamedTuple):
    """Hold what passed, as it was claimed, and what became of the rest.

    `gates` are the slots that those have which run, by id; `moves` the changes of status of those
    that do not, as counters.tally() takes them; `entries` are to be enqueued after the commit.
    """

    rows: list[Row]
    gates: Mapping[str, str] = {}
    moves: Sequence[tuple[int | None, str, str]] = ()
    entries: Sequence[Entry] = ()


@dataclass(slots=True)
class _Candidate:
    """Follow one row that has gates to pass."""

    row: Row
    task: Task[..., Any]
    keys: Mapping[str, Key]
    place: InLine
    changed: list[Any] | None = field(default=None)


def judge(using: str, rows: list[Row]) -> Judged:
    """Let those of these rows run that pass their gates, and put the others back.

    They are as the claim returns them, and are locked by it.
    """
    gated = _gated({row[2] for row in rows})
    if not gated:
        return Judged(rows)
    found = [_candidate(using, row, gated[row[2]]) for row in rows if row[2] in gated]
    found.sort(key=lambda one: one.place)
    gates = lock(using, {key.id: key for one in found for key in one.keys.values()})
    losers, entries = _share_slots(using, found, gates)
    _write(using, found)
    out = {one.place.id: one for one in losers}
    before = Execution.status_before_claim
    return Judged(
        [row for row in rows if bulk.read_id(row[0]) not in out],
        {one.place.id: one.keys["concurrency"].id for one in found if "concurrency" in one.keys},
        [(one.row[1], before(one.row[13]), _SCHEDULED) for one in losers],
        entries,
    )


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


def _candidate(using: str, row: Row, task: Task[..., Any]) -> _Candidate:
    due_at = bulk.read_moment(row[8], connections[using])
    place = InLine(-row[12], due_at.timestamp(), bulk.read_id(row[0]))
    return _Candidate(row, task, gates_of(task, row[3], row[4]), place)


def _share_slots(
    using: str, found: Sequence[_Candidate], gates: Mapping[str, Locked]
) -> tuple[list[_Candidate], list[Entry]]:
    """Give slots to the first of those that are in line and those that have just come."""
    by_gate: defaultdict[str, list[_Candidate]] = defaultdict(list)
    for one in found:
        if "concurrency" in one.keys:
            by_gate[one.keys["concurrency"].id].append(one)
    ids = [one.place.id for ones in by_gate.values() for one in ones]
    taken = busy(using, [UUID(id_) for id_ in by_gate], apart_from=ids)
    moment = now()
    losers: list[_Candidate] = []
    let_in: list[str] = []
    for id_, ones in by_gate.items():
        gate, size = gates[id_], _size(ones[0])
        free = max(0, size - taken.get(id_, 0))
        line = in_line(using, gate.id, free) if free and gate.waiting_since else []
        winners = {place.id for place in sorted([*line, *(one.place for one in ones)])[:free]}
        let_in += [place.id for place in line if place.id in winners]
        out = [one for one in ones if one.place.id not in winners]
        losers += out
        _occupy(using, ones, winners, moment)
        _remember(using, gate, size, waits=bool(out), moment=moment)
    return losers, admit(using, let_in)


def _size(one: _Candidate) -> int:
    policies = one.task.policies
    assert policies is not None and policies.concurrency is not None  # noqa: S101, PT018
    return policies.concurrency.n


def _occupy(using: str, ones: Sequence[_Candidate], winners: set[str], moment: datetime) -> None:
    since = bulk.moment_text(moment, connections[using])
    for one in ones:
        gate = one.keys["concurrency"].id
        if one.place.id in winners:
            one.changed = [one.place.id, _RUNNING, "", None, gate]
        else:
            one.changed = [one.place.id, _SCHEDULED, Execution.NO_SLOT, since, gate]


def _remember(using: str, gate: Locked, size: int, *, waits: bool, moment: datetime) -> None:
    changes: dict[str, Any] = {}
    if size != gate.size:
        changes["size"] = size
    if waits and gate.waiting_since is None:
        changes["waiting_since"] = moment
    if changes or moment - gate.used_at > USED_EVERY:
        Gate.objects.using(using).filter(pk=gate.id).update(used_at=moment, **changes)


def _write(using: str, found: Sequence[_Candidate]) -> None:
    rows = sorted(one.changed for one in found if one.changed is not None)
    if rows:
        bulk.update(
            using, Execution, _COLUMNS, rows, changes=_CHANGES, guard=f"e.status = '{_RUNNING}'"
        )

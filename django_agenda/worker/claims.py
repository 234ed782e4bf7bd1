"""The claim itself: rows from waiting to running, and back when they were not started."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Value

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.clock import now
from django_agenda.exceptions import UnknownTask
from django_agenda.models import bulk, counters
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue
from django_agenda.models.transactions import in_transaction
from django_agenda.models.worker import Worker
from django_agenda.scheduling.callbacks import fire
from django_agenda.scheduling.hold import hold_members
from django_agenda.scheduling.leave import forget, leave
from django_agenda.scheduling.slots import let_in
from django_agenda.scheduling.struck import Struck, under_strikes
from django_agenda.signals import tasks_unknown
from django_agenda.tasks.registry import lookup

from .claim import Claim, on_terms
from .gates.judge import Judged, Passed, judge
from .lease import Lease
from .struck import hold_struck

_RETURNED = (
    "id",
    "batch",
    "task_name",
    "args",
    "kwargs",
    "attempts",
    "max_attempts",
    "crashes",
    "due_at",
    "expires_ms",
    "key",
    "queue_name",
    "priority",
    "failed_stage",
    "schedule",
    "terms",
    "gate",
)
_RUNNING = Execution.Status.RUNNING.value
_SCHEDULED = Execution.Status.SCHEDULED.value
_CANCELLED = Execution.Status.CANCELLED.value
_STAYS = "e.cancel_requested_at IS NULL"

# A row that was pending is no longer so once it was claimed: see Execution.status_before_claim().
_UNBLAMED = {
    name: f"CASE WHEN e.failed_stage = 'enqueue' THEN '' ELSE e.{name} END"
    for name in ("error_class", "error_message", "error_fingerprint", "failed_stage")
}


class Claimed(NamedTuple):
    """Hold what a worker may run, how many it put aside, and what is to be enqueued."""

    claims: list[Claim]
    aside: int
    entries: Sequence[Entry] = ()


def claim(
    using: str,
    worker: Worker,
    ids: Sequence[str],
    *,
    moment: datetime,
    starts: float,
    horizon: datetime,
    lease: Lease | None = None,
    blur: float = 0.0,
) -> Claimed:
    """Take those of these executions that wait and are due by `horizon`.

    `moment` and `starts` are one and the same instant, of the broker's clock and of the monotonic
    one, but that the latter may be later by up to `blur` seconds. What the guard refuses is left as
    it is: see refused.
    """
    connection = connections[using]
    lease = lease or Lease(worker)
    judged = in_transaction(
        using, partial(_claim_rows, using, worker, ids, moment, starts, horizon, blur)
    )
    rows, passed = judged.rows, judged.passed
    # As they were popped: the most urgent first.
    order = {id_: place for place, id_ in enumerate(ids)}
    rows.sort(key=lambda row: order[bulk.read_id(row[0])])
    claims: list[Claim] = []
    strangers: list[tuple[Any, ...]] = []
    for row in rows:
        id_ = bulk.read_id(row[0])
        try:
            task = lookup(row[2])
        except UnknownTask:
            strangers.append(row)
            continue
        task = on_terms(task, row[15])
        due_at = bulk.read_moment(row[8], connection)
        wait, slot, start = passed.get(id_) or Passed((due_at - moment).total_seconds())
        # Those in line for a limit that its task has no more let in one after the other.
        slot = slot or (bulk.read_id(row[16]) if row[16] else None)
        begins = starts + max(0.0, wait)
        claims.append(
            Claim._make(
                (
                    id_,
                    *row[1:8],
                    due_at,
                    *row[9:13],
                    task,
                    begins,
                    lease,
                    *row[14:16],
                    slot,
                    start,
                )
            )
        )
    if strangers:
        tokens = [(bulk.read_id(row[0]), row[5]) for row in strangers]
        give_back(using, worker, tokens, held_by=Execution.UNKNOWN_TASK)
        names = sorted({str(row[2]) for row in strangers})
        tasks_unknown.send_robust(Execution, names=names, count=len(strangers))
    entries = judged.entries
    if judged.vacated:
        # Apart, because whoever locks gates locks all that it needs at once.
        entries = [*entries, *in_transaction(using, partial(let_in, using, judged.vacated))]
    return Claimed(claims, len(strangers) + len(judged.moves), entries)


def _claim_rows(
    using: str,
    worker: Worker,
    ids: Sequence[str],
    moment: datetime,
    starts: float,
    horizon: datetime,
    blur: float,
) -> Judged:
    vacated: set[str] = set()
    rows = under_strikes(using, partial(_take, using, worker, ids, moment, horizon, vacated))
    judged = judge(using, rows, moment, starts, blur)
    judged = judged._replace(vacated=judged.vacated | vacated)
    before = Execution.status_before_claim
    moves = [(row[1], before(row[13]), _RUNNING) for row in judged.rows]
    states = counters.apply(using, counters.tally([*moves, *judged.moves]))
    if paused := {state.id for state in states if state.is_paused}:
        judged = _put_back(using, worker, judged, paused)
    if any(move[2] == Execution.Status.SKIPPED for move in judged.moves):
        judged = judged._replace(entries=[*judged.entries, *fire(using, states)])
    return judged


def _put_back(using: str, worker: Worker, judged: Judged, paused: set[int]) -> Judged:
    """Hold those whose batch is paused, in the claim's own transaction; return the others."""
    tokens = [(bulk.read_id(row[0]), row[5]) for row in judged.rows if row[1] in paused]
    passed = [judged.passed[id_] for id_, _ in tokens if id_ in judged.passed]
    forget(using, [one.start for one in passed if one.start is not None])
    entries = give_back(using, worker, tokens, held_by=Execution.BATCH_PAUSED)
    rows = [row for row in judged.rows if row[1] not in paused]
    return judged._replace(rows=rows, entries=[*judged.entries, *entries])


def give_back(
    using: str, worker: Worker, tokens: Sequence[tuple[str, int]], *, held_by: str = ""
) -> list[Entry]:
    """Let go of claims, given as (id, attempt), that were not started: the attempt is not counted.

    One whose cancellation was asked for is cancelled. Returns what is to be enqueued, now that
    the rows wait again.
    """
    if not tokens:
        return []
    return in_transaction(using, partial(_let_go, using, worker, sorted(tokens), held_by))


def _let_go(
    using: str, worker: Worker, tokens: Sequence[tuple[str, int]], held_by: str
) -> list[Entry]:
    connection = connections[using]
    moment = bulk.moment_text(now(), connection)
    rows = bulk.update(
        using,
        Execution,
        ("id", "attempts", "finished_at"),
        [[*token, moment] for token in tokens],
        changes={
            "attempts": "e.attempts - 1",
            "claimed_by": "NULL",
            "worker": "''",
            "started_at": "NULL",
            "held_by": Value(held_by),
            "held_at": Value(moment if held_by else None),
            **_UNBLAMED,
            "finished_at": f"CASE WHEN NOT {_STAYS} THEN x.finished_at END",
            "live_key": f"CASE WHEN {_STAYS} THEN e.live_key END",
            "status": f"CASE WHEN {_STAYS} THEN '{_SCHEDULED}' ELSE '{_CANCELLED}' END",
        },
        guard="e.status = 'running' AND e.attempts = x.attempts AND e.claimed_by = %s",
        guard_params=[_identity(using, worker)],
        returning=("id", "queue_name", "due_at", "priority", "batch", "status", "gate"),
    )
    let_others_in = leave(using, [bulk.read_id(row[6]) for row in rows if row[6]])
    states = counters.apply(using, counters.tally((row[4], _RUNNING, row[5]) for row in rows))
    waiting = {bulk.read_id(row[0]): row[4] for row in rows if row[5] == _SCHEDULED}
    held = hold_members(using, states, waiting)
    entries = let_others_in + fire(using, states)
    if held_by:
        return entries
    return entries + [
        Entry(id_, row[1], due_ms(bulk.read_moment(row[2], connection)), row[3])
        for row in rows
        if (id_ := bulk.read_id(row[0])) in waiting and id_ not in held
    ]


def return_claims(using: str, claims: Iterable[Claim], *, have_begun: bool = False) -> list[Entry]:
    """Give claims back, each under the incarnation that claimed it; see give_back().

    Unless they have begun, they have used up no start of a rate.
    """
    claims = list(claims)
    if not have_begun:
        forget(using, [one.start for one in claims if one.start is not None])
    by_lease: defaultdict[Lease, list[tuple[str, int]]] = defaultdict(list)
    for one in claims:
        by_lease[one.lease].append((one.id, one.attempt))
    entries: list[Entry] = []
    for lease, tokens in by_lease.items():
        entries += give_back(using, lease.worker, tokens)
    return entries


def _take(
    using: str,
    worker: Worker,
    ids: Sequence[str],
    moment: datetime,
    horizon: datetime,
    vacated: set[str],
    strikes: Struck,
) -> list[tuple[Any, ...]]:
    free, gates = hold_struck(using, ids, strikes)
    vacated |= gates
    if not free:
        return []
    connection = connections[using]
    workers = connection.ops.quote_name(Worker._meta.db_table)
    paused = connection.ops.quote_name(PausedQueue._meta.db_table)
    me = _identity(using, worker)
    now_text = bulk.moment_text(moment, connection)
    return bulk.update(
        using,
        Execution,
        ("id",),
        [[id_] for id_ in sorted(free)],
        changes={
            "status": Value(_RUNNING),
            "attempts": "e.attempts + 1",
            "claimed_by": Value(me),
            "worker": Value(worker.name),
            # Not before its moment, but seldom exact: the outcome writes it anew.
            "started_at": Value(now_text),
            "held_by": "''",
        },
        guard=(
            "e.status IN ('scheduled', 'pending') AND e.held_by IN ('', %s) AND e.due_at <= %s"
            " AND (e.expires_at IS NULL OR e.expires_at >= %s) AND EXISTS"
            f" (SELECT 1 FROM {workers} w WHERE w.id = %s AND w.status IN ('active', 'draining'))"
            f" AND e.queue_name NOT IN (SELECT q.name FROM {paused} q)"
            f" AND {strikes.guard(using)}"
        ),
        guard_params=[
            Execution.UNKNOWN_TASK,
            bulk.moment_text(horizon, connection),
            now_text,
            me,
        ],
        returning=_RETURNED,
        skip_locked=True,
    )


def _identity(using: str, worker: Worker) -> Any:
    field = Worker._meta.get_field("id")
    return field.get_db_prep_value(worker.pk, connections[using])

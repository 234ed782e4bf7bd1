"""What the model knows: rows, workers, leases, and the clauses of the protocol.

Values only, and how they are changed; see model for the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

T = TypeVar("T")

WAITS, RUNS, DONE, CANCELLED = range(4)
UNHEARD, CLAIMED, BODY, GOOD, AGAIN = range(5)
NOBODY, LIVES, LAPSED, LOST = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Hold the clauses of the protocol; all of them hold but in a mutant."""

    claim_only_what_waits: bool = True
    claim_only_while_living: bool = True
    claim_counts_attempt: bool = True
    record_only_what_runs: bool = True
    owner_is_cleared: bool = True
    record_by_attempt: bool = True
    record_by_incarnation: bool = True
    record_again_when_unheard: bool = True
    count_with_the_row: bool = True
    start_only_when_trusted: bool = True
    trust_ends_before_the_lease: bool = True
    new_incarnation_when_lost: bool = True
    lost_only_when_lapsed: bool = True
    amnesty: bool = True
    rescue_only_of_the_lost: bool = True
    rescue: bool = True
    overdue_scan: bool = True
    audit: bool = True
    audit_waits_for_claims: bool = True
    audit_reads_rows_first: bool = True
    give_back_by_token: bool = True
    claim_no_more_before_giving_back_what_runs: bool = True
    cancel_only_what_waits: bool = True


class Row(NamedTuple):
    status: int = WAITS
    attempts: int = 0
    owner: int = -1


class Held(NamedTuple):
    row: int
    owner: int
    attempt: int
    phase: int
    is_current: bool = True
    """Whether the row's last claim is this one: what the token must stand for."""


class Worker(NamedTuple):
    incarnation: int
    is_silent: bool = False
    is_ending: bool = False
    popped: tuple[int, ...] = ()
    held: tuple[Held, ...] = ()
    uncounted: int = 0
    seen: tuple[Held, ...] | None = None
    """What an audit has read of the rows, or in a mutant of its own hands."""


class State(NamedTuple):
    rows: tuple[Row, ...]
    redis: tuple[bool, ...]
    workers: tuple[Worker, ...]
    incarnations: tuple[int, ...]
    is_heard: bool = True
    faults: int = 0
    cancels: int = 0
    counted: int = 0
    may_overlap: bool = False
    """Whether a worker was cut off, or gave back what it still ran: then two may run one."""
    slack: tuple[int, ...] = ()
    """How many more starts of each execution the faults so far allow."""
    retries: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    wrong: str = ""


def put_at(values: tuple[T, ...], place: int, value: T) -> tuple[T, ...]:
    return (*values[:place], value, *values[place + 1 :])


def put_row(state: State, number: int, row: Row) -> State:
    return state._replace(rows=put_at(state.rows, number, row))


def tell(state: State, number: int) -> State:
    return state._replace(redis=put_at(state.redis, number, value=True))


def put_worker(state: State, number: int, worker: Worker) -> State:
    return state._replace(workers=put_at(state.workers, number, worker))


def incarnate(state: State, number: int, status: int) -> State:
    return state._replace(incarnations=put_at(state.incarnations, number, status))


def swap(worker: Worker, old: Held, new: Held | None) -> Worker:
    others = [held for held in worker.held if held is not old]
    return worker._replace(held=tuple(sorted([*others, new] if new else others)))


def outdated(worker: Worker, which: int) -> Worker:
    """Note that the row was claimed anew: what is held of it stands for no claim any more."""
    if not any(held.row == which and held.is_current for held in worker.held):
        return worker
    marked = (
        held._replace(is_current=False) if held.row == which else held for held in worker.held
    )
    return worker._replace(held=tuple(sorted(marked)))


def outdate(state: State, which: int) -> State:
    return state._replace(workers=tuple(outdated(worker, which) for worker in state.workers))


def is_elsewhere(state: State, given: Held) -> bool:
    """Tell whether a worker holds the row's present claim, and it is not the one given back."""
    return any(
        held.row == given.row and held.is_current and held is not given
        for worker in state.workers
        for held in worker.held
    )


def compact(state: State) -> State:
    """Forget incarnations that nothing names any more, and number the others in one way."""
    names: dict[int, int] = {-1: -1}
    for worker in state.workers:
        names.setdefault(worker.incarnation, len(names) - 1)
    for row in state.rows:
        names.setdefault(row.owner, len(names) - 1)
    for worker in state.workers:
        for held in (*worker.held, *(worker.seen or ())):
            names.setdefault(held.owner, len(names) - 1)
    if len(names) - 1 == len(state.incarnations) and all(old == new for old, new in names.items()):
        return state
    return state._replace(
        rows=tuple(row._replace(owner=names[row.owner]) for row in state.rows),
        workers=tuple(_renamed(worker, names) for worker in state.workers),
        incarnations=tuple(state.incarnations[old] for old in names if old >= 0),
    )


def _renamed(worker: Worker, names: dict[int, int]) -> Worker:
    def rename(entries: tuple[Held, ...]) -> tuple[Held, ...]:
        return tuple(sorted(one._replace(owner=names[one.owner]) for one in entries))

    return worker._replace(
        incarnation=names[worker.incarnation],
        held=rename(worker.held),
        seen=None if worker.seen is None else rename(worker.seen),
    )

"""The protocol of django_agenda.worker in small: every state that a few faults can lead to.

A breadth-first search over executions, workers, Redis and faults. Each step is one statement, or
one thing that a process does by itself; between any two of them anything else may happen. What is
checked in every state is safety; that every state leads to a good end without further faults is
checked backwards, from the ends.

`Rules` names each guard and each order that the code relies on. A mutant is the protocol without
one of them: a search that finds nothing wrong with it would prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .fate import fates
from .state import (
    AGAIN,
    BODY,
    CANCELLED,
    CLAIMED,
    DONE,
    GOOD,
    LAPSED,
    LIVES,
    LOST,
    NOBODY,
    RUNS,
    UNHEARD,
    WAITS,
    Held,
    Row,
    Rules,
    State,
    Worker,
    compact,
    incarnate,
    is_elsewhere,
    outdate,
    outdated,
    put_at,
    put_row,
    put_worker,
    swap,
    tell,
)


class Step(NamedTuple):
    is_fault: bool
    state: State


class Model:
    """Take the steps of so many workers with so many executions, under at most so many faults."""

    def __init__(
        self,
        rules: Rules,
        *,
        rows: int = 1,
        workers: int = 2,
        faults: int = 2,
        cancels: int = 1,
        retries: int = 1,
    ) -> None:
        self.rules = rules
        self.faults = faults
        self.cancels = cancels
        self.retries = retries
        zeros, ones = (0,) * rows, (1,) * rows
        self.first = State(
            (Row(),) * rows,
            (False,) * rows,
            tuple(Worker(number) for number in range(workers)),
            (LIVES,) * workers,
            slack=ones,
            retries=zeros,
            ends=zeros,
        )

    def steps(self, state: State) -> Iterator[Step]:
        """Return what can happen next."""
        for is_fault, after in self._all_steps(state):
            yield Step(is_fault, compact(after))

    def _all_steps(self, state: State) -> Iterator[tuple[bool, State]]:
        for one in self._of_rows(state):
            yield False, one
        for number, worker in enumerate(state.workers):
            for one in self._of_worker(state, number, worker):
                yield False, one
        for one in self._of_leases(state):
            yield False, one
        if state.faults < self.faults:
            for one in fates(self, state._replace(faults=state.faults + 1)):
                yield True, one

    # --- what anybody may do with the rows ---

    def _of_rows(self, state: State) -> Iterator[State]:
        for number, row in enumerate(state.rows):
            if row.status == WAITS and not state.redis[number] and self.rules.overdue_scan:
                yield tell(state, number)
            may_cancel = row.status == WAITS or not self.rules.cancel_only_what_waits
            if state.cancels < self.cancels and may_cancel and row.status != CANCELLED:
                ended = self._end(state, number, row._replace(status=CANCELLED, owner=-1))
                yield ended._replace(cancels=state.cancels + 1)
            if row.status == RUNS and self.rules.rescue:
                is_lost = state.incarnations[row.owner] in (LOST, NOBODY)
                if is_lost or not self.rules.rescue_only_of_the_lost:
                    yield tell(put_row(state, number, row._replace(status=WAITS, owner=-1)), number)

    def _end(self, state: State, number: int, row: Row, *, counts: bool = True) -> State:
        ends = put_at(state.ends, number, state.ends[number] + 1)
        state = put_row(state, number, row)._replace(ends=ends)
        return state._replace(counted=state.counted + counts)

    # --- leases ---

    def _of_leases(self, state: State) -> Iterator[State]:
        current = {one.incarnation: one for one in state.workers}
        for number, status in enumerate(state.incarnations):
            owner = current.get(number)
            if status == LIVES and (owner is None or owner.is_silent):
                yield incarnate(state, number, LAPSED)
            may_judge = state.is_heard or not self.rules.amnesty
            may_lapse = status == LAPSED or (
                status == LIVES and not self.rules.lost_only_when_lapsed
            )
            if may_lapse and may_judge:
                yield incarnate(state, number, LOST)
        if not state.is_heard and not any(one.is_silent for one in current.values()):
            yield state._replace(is_heard=True)

    # --- what a worker does ---

    def _of_worker(self, state: State, number: int, worker: Worker) -> Iterator[State]:
        if worker.is_silent or state.incarnations[worker.incarnation] != LIVES:
            yield self._beat(state, number, worker)
        if worker.is_ending and not worker.held and not worker.uncounted:
            born = state._replace(incarnations=(*state.incarnations, LIVES))
            yield put_worker(born, number, Worker(len(state.incarnations)))
        if worker.uncounted:
            counted = state._replace(counted=state.counted + worker.uncounted)
            yield put_worker(counted, number, worker._replace(uncounted=0))
        for row, is_there in enumerate(state.redis):
            may_pop = self._is_trusted(worker) and not worker.is_ending
            if is_there and may_pop and row not in worker.popped:
                popped = worker._replace(popped=tuple(sorted((*worker.popped, row))))
                taken = state._replace(redis=put_at(state.redis, row, value=False))
                yield put_worker(taken, number, popped)
        for row in worker.popped:
            yield self.claim(state, number, worker, row, is_heard=True)
        for held in worker.held:
            yield from self._go_on(state, number, worker, held)
        if self.rules.audit:
            yield from self._audit(state, number, worker)

    def _beat(self, state: State, number: int, worker: Worker) -> State:
        status = state.incarnations[worker.incarnation]
        awake = worker._replace(is_silent=False)
        if status != LOST:
            return put_worker(incarnate(state, worker.incarnation, LIVES), number, awake)
        if not self.rules.new_incarnation_when_lost:
            return put_worker(incarnate(state, worker.incarnation, LIVES), number, awake)
        born = state._replace(incarnations=(*state.incarnations, LIVES))
        return put_worker(born, number, awake._replace(incarnation=len(state.incarnations)))

    def _is_trusted(self, worker: Worker) -> bool:
        return not worker.is_silent or not self.rules.trust_ends_before_the_lease

    def claim(
        self, state: State, number: int, worker: Worker, which: int, *, is_heard: bool
    ) -> State:
        row, me = state.rows[which], worker.incarnation
        worker = worker._replace(popped=tuple(one for one in worker.popped if one != which))
        is_free = row.status == WAITS or not self.rules.claim_only_what_waits
        is_living = state.incarnations[me] in (LIVES, LAPSED)
        if not is_free or (self.rules.claim_only_while_living and not is_living):
            return put_worker(state, number, worker)
        attempts = row.attempts + self.rules.claim_counts_attempt
        taken = put_row(outdate(state, which), which, Row(RUNS, attempts, me))
        worker = outdated(worker, which)
        if is_heard:
            held = Held(which, me, attempts, UNHEARD)
            worker = worker._replace(held=tuple(sorted((*worker.held, held))))
        return put_worker(taken, number, worker)

    def _go_on(self, state: State, number: int, worker: Worker, held: Held) -> Iterator[State]:
        if held.phase == UNHEARD:
            yield put_worker(state, number, swap(worker, held, held._replace(phase=CLAIMED)))
        elif held.phase == CLAIMED:
            is_mine = held.owner == worker.incarnation
            if (is_mine and self._is_trusted(worker)) or not self.rules.start_only_when_trusted:
                yield self._start(state, number, worker, held)
            else:
                given = self._give_back(state, held)
                yield put_worker(given, number, swap(worker, held, None))
        elif held.phase == BODY:
            yield put_worker(state, number, swap(worker, held, held._replace(phase=GOOD)))
            if state.retries[held.row] < self.retries:
                yield put_worker(state, number, swap(worker, held, held._replace(phase=AGAIN)))
        else:
            stored, worker = self.record(state, worker, held)
            yield put_worker(stored, number, swap(worker, held, None))

    def _start(self, state: State, number: int, worker: Worker, held: Held) -> State:
        row = state.rows[held.row]
        slack = state.slack[held.row] - 1
        started = state._replace(slack=put_at(state.slack, held.row, slack))
        started = put_worker(started, number, swap(worker, held, held._replace(phase=BODY)))
        if slack < 0:
            return started._replace(wrong="a body runs more often than the faults allow")
        if row.status != RUNS or not held.is_current:
            return started._replace(wrong="a body starts that was given to somebody else")
        return started

    def record(self, state: State, worker: Worker, held: Held) -> tuple[State, Worker]:
        row = state.rows[held.row]
        rules = self.rules
        fits = (
            (row.status == RUNS or not rules.record_only_what_runs)
            and (row.attempts == held.attempt or not rules.record_by_attempt)
            and (row.owner == held.owner or not rules.record_by_incarnation)
        )
        if not fits:
            return state, worker
        if not held.is_current:
            return state._replace(wrong="an outcome of another claim is taken"), worker
        if held.phase == AGAIN:
            owner = -1 if rules.owner_is_cleared else row.owner
            state = put_row(state, held.row, row._replace(status=WAITS, owner=owner))
            retries = put_at(state.retries, held.row, state.retries[held.row] + 1)
            slack = put_at(state.slack, held.row, state.slack[held.row] + 1)
            return state._replace(retries=retries, slack=slack), worker
        done = row._replace(status=DONE, owner=-1 if rules.owner_is_cleared else row.owner)
        if rules.count_with_the_row:
            return self._end(state, held.row, done), worker
        ended = self._end(state, held.row, done, counts=False)
        return ended, worker._replace(uncounted=worker.uncounted + 1)

    def _give_back(self, state: State, held: Held) -> State:
        row = state.rows[held.row]
        is_own = (row.status, row.attempts, row.owner) == (RUNS, held.attempt, held.owner)
        if not is_own and self.rules.give_back_by_token:
            return state
        if row.status == RUNS and is_elsewhere(state, held):
            return state._replace(wrong="a claim is given back that somebody holds")
        attempts = max(0, row.attempts - 1)
        back = put_row(state, held.row, Row(WAITS, attempts))
        return tell(back, held.row)

    def _audit(self, state: State, number: int, worker: Worker) -> Iterator[State]:
        """Two steps: read, then compare; UNHEARD entries are claims whose answer is on its way."""
        rows = tuple(
            Held(which, row.owner, row.attempts, CLAIMED)
            for which, row in enumerate(state.rows)
            if row.status == RUNS and row.owner == worker.incarnation
        )
        hands = tuple(held for held in worker.held if held.phase != UNHEARD)
        first, other = (rows, hands) if self.rules.audit_reads_rows_first else (hands, rows)
        if worker.seen is None:
            if rows or not self.rules.audit_reads_rows_first:
                yield put_worker(state, number, worker._replace(seen=first))
            return
        is_claiming = any(held.phase == UNHEARD for held in worker.held)
        if is_claiming and self.rules.audit_waits_for_claims:
            return
        read, known = (
            (worker.seen, other) if self.rules.audit_reads_rows_first else (other, worker.seen)
        )
        tokens = {(held.row, held.attempt) for held in known}
        after = put_worker(state, number, worker._replace(seen=None))
        for held in read:
            if (held.row, held.attempt) not in tokens:
                after = self._give_back(after, held)
        yield after

"""What befalls the model: Redis forgets, workers die or fall silent, answers are lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .state import (
    AGAIN,
    BODY,
    GOOD,
    LAPSED,
    LIVES,
    RUNS,
    WAITS,
    Row,
    State,
    Worker,
    put_at,
    put_row,
    put_worker,
    swap,
    tell,
)

if TYPE_CHECKING:
    from .model import Model


def fates(model: Model, state: State) -> Iterator[State]:
    for row, is_there in enumerate(state.redis):
        # Flushed, or restored from an old copy.
        yield state._replace(redis=put_at(state.redis, row, value=not is_there))
    for number, worker in enumerate(state.workers):
        yield from _fates_of(model, state, number, worker)
    every = tuple(one._replace(is_silent=True) for one in state.workers)
    lapsed = tuple(LAPSED if one == LIVES else one for one in state.incarnations)
    # The database was away: nobody could beat, and nobody was heard.
    yield state._replace(workers=every, incarnations=lapsed, is_heard=False)


def _fates_of(model: Model, state: State, number: int, worker: Worker) -> Iterator[State]:
    born = len(state.incarnations)
    begun = {held.row for held in worker.held if held.phase >= BODY}
    more = state._replace(
        slack=tuple(one + (which in begun) for which, one in enumerate(state.slack))
    )
    anew = more._replace(incarnations=(*state.incarnations, LIVES))
    yield put_worker(anew, number, Worker(born))
    if not worker.is_silent:
        silent = put_worker(more, number, worker._replace(is_silent=True))
        yield silent._replace(may_overlap=True)
    if begun:
        yield _interrupt(model, more, number, worker)
    for row in worker.popped:
        yield model.claim(state, number, worker, row, is_heard=False)
    for held in worker.held:
        if held.phase in (GOOD, AGAIN):
            stored, after = model.record(state, worker, held)
            kept = after if model.rules.record_again_when_unheard else swap(after, held, None)
            yield put_worker(stored, number, kept)  # its answer is lost
            yield put_worker(state, number, after if kept is after else kept)  # it failed


def _interrupt(model: Model, state: State, number: int, worker: Worker) -> State:
    """Give back what runs, at the end of a shutdown's time; the bodies may end all the same."""
    for held in worker.held:
        if held.phase == BODY:
            row = state.rows[held.row]
            if (row.status, row.attempts, row.owner) == (RUNS, held.attempt, held.owner):
                back = put_row(state, held.row, Row(WAITS, row.attempts - 1))
                state = tell(back, held.row)
    if model.rules.claim_no_more_before_giving_back_what_runs:
        state = put_worker(state, number, worker._replace(is_ending=True, popped=()))
    return state._replace(may_overlap=True)

"""Walk through every state of a model, and say what is wrong with it."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import NamedTuple

from .model import Model
from .state import BODY, CANCELLED, DONE, RUNS, State


class Found(NamedTuple):
    """Hold how much was walked through, and the first thing that is wrong, or nothing."""

    states: int
    steps: int
    wrong: str


def search(model: Model) -> Found:
    """Walk breadth first, so that what is found is found by as few steps as can be."""
    before: defaultdict[State, list[State]] = defaultdict(list)
    seen = {model.first}
    queue = deque(seen)
    steps = 0
    while queue:
        state = queue.popleft()
        for is_fault, after in model.steps(state):
            steps += 1
            if wrong := what_is_wrong(after):
                return Found(len(seen), steps, wrong)
            if not is_fault:
                before[after].append(state)
            if after not in seen:
                seen.add(after)
                queue.append(after)
    return Found(len(seen), steps, _stuck(seen, before))


def what_is_wrong(state: State) -> str:
    """Return which promise a state breaks."""
    if state.wrong:
        return state.wrong
    if max(state.ends) > 1:
        return "an execution ends twice"
    for which, row in enumerate(state.rows):
        if row.attempts > 1 + state.retries[which] + state.faults:
            return "attempts are counted that nobody made"
        bodies = sum(
            held.row == which and held.phase == BODY
            for worker in state.workers
            for held in worker.held
        )
        if bodies > 1 and not state.may_overlap:
            return "two bodies of one execution run at the same time"
    return ""


def _stuck(seen: set[State], before: dict[State, list[State]]) -> str:
    ends = [state for state in seen if _is_end(state)]
    if any(state.counted != len(state.rows) for state in ends):
        return "the counts differ from the rows at the end"
    reaching = set(ends)
    queue = deque(ends)
    while queue:
        for earlier in before.get(queue.popleft(), ()):
            if earlier not in reaching:
                reaching.add(earlier)
                queue.append(earlier)
    lost = next((state for state in seen if state not in reaching), None)
    if lost is None:
        return ""
    is_running = any(row.status == RUNS for row in lost.rows)
    return f"an execution {'runs' if is_running else 'waits'} for ever"


def _is_end(state: State) -> bool:
    is_over = all(row.status in (DONE, CANCELLED) for row in state.rows)
    return is_over and not any(worker.held or worker.uncounted for worker in state.workers)

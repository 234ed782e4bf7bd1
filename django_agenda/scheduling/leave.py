"""Tell the gates that executions have passed what came of those: slots are free, starts are known.

Whoever locks gates locks all that it needs at once, in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django_agenda.broker.entry import Entry
from django_agenda.models.gate import Gate
from django_agenda.models.transactions import in_transaction
from django_agenda.policies.rate import corrected

from .gates import locked
from .slots import let_in_locked


class Start(NamedTuple):
    """Say that a start counts in the gate of a rate; moments are microseconds since 1970.

    It was not before `latest` - `tolerance`, and not after `latest`.
    """

    gate: str
    latest: int
    tolerance: int


class Begun(NamedTuple):
    """Say by when it surely was; None is never."""

    start: Start
    by: int | None


def leave(using: str, slots: Iterable[str | None], begun: Sequence[Begun] = ()) -> list[Entry]:
    """Let others have these slots, and remember these starts; return what is to be enqueued.

    Must run in the transaction that freed them, after its rows were changed and before counts of
    batches are: claims lock in that order.
    """
    freed = {slot for slot in slots if slot is not None}
    wanted = freed | {one.start.gate for one in begun}
    if not wanted:
        return []
    found = {gate.pk.hex: gate for gate in locked(using, wanted)}
    _remember(using, found, begun)
    return let_in_locked(using, [gate for id_, gate in found.items() if id_ in freed])


def forget(using: str, starts: Collection[Start]) -> None:
    """Let these starts not count, because they never were."""
    if starts:
        begun = [Begun(start, None) for start in starts]
        in_transaction(using, partial(leave, using, (), begun))


def _remember(using: str, gates: dict[str, Gate], begun: Sequence[Begun]) -> None:
    states: dict[str, Any] = {}
    for start, by in begun:
        gate = gates.get(start.gate)
        if gate is None or not gate.state:
            continue
        state = states.setdefault(start.gate, dict(gate.state))
        if by is not None:
            by = min(max(by, start.latest - start.tolerance), start.latest)  # noqa: PLW2901
        state["starts"] = corrected(state["starts"], start.latest, by)
    for id_, state in sorted(states.items()):
        Gate.objects.using(using).filter(pk=UUID(id_)).update(state=state)

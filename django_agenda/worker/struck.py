"""Leave what a strike matches out of a claim, and hold it instead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from django_agenda.models.execution import Execution
from django_agenda.scheduling.hold import UNHELD, hold
from django_agenda.scheduling.struck import Struck

from .claim import Claim


class Sifted(NamedTuple):
    """Hold what no strike matches, and the gates that what is held would have passed."""

    free: Sequence[str]
    vacated: AbstractSet[str] = frozenset()


def hold_struck(using: str, ids: Sequence[str], strikes: Struck) -> Sifted:
    """Hold those of these that a strike matches, and return the others.

    Must run in the transaction of the claim, and holds nothing when there are other strikes by now.
    What is held was popped, so Redis knows it no more.
    """
    if not strikes:
        return Sifted(ids)
    matched: dict[str, str] = dict(strikes.among(using, ids))
    by_strike: defaultdict[str, list[str]] = defaultdict(list)
    for id_, held_by in matched.items():
        by_strike[held_by].append(id_)
    for held_by, some in sorted(by_strike.items()):
        hold(using, some, held_by, f"{UNHELD} AND {strikes.guard(using)}")
    return Sifted([id_ for id_ in ids if id_ not in matched], _gates_of(using, matched))


def _gates_of(using: str, ids: Collection[str]) -> AbstractSet[str]:
    if not ids:
        return frozenset()
    rows = Execution.objects.using(using).filter(pk__in=list(ids), gate__isnull=False)
    return {gate.hex for gate in rows.order_by().values_list("gate", flat=True) if gate}


def is_struck(claim: Claim, strikes: Struck) -> bool:
    """Tell whether a strike matches what was claimed before it was made."""
    return bool(strikes and strikes.holds(claim.task_name, claim.args, claim.kwargs))

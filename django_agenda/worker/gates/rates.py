"""`rate=`: so many starts in any stretch of time, and the others at the next free moments.

The gate keeps the moments of the last starts, which alone decide. What is put off has been promised
a moment, in its row: promises are what newcomers come behind, but one that is cancelled or moved
leaves no hole in what is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django_agenda.models.execution import Execution
from django_agenda.policies.rate import Rate, Starts

from .book import Book
from .candidate import Candidate, moment_of, us_of

_KIND = "rate"


@dataclass(slots=True)
class _Gate:
    """Know one gate: what has started, and with that also what was promised."""

    rate: Rate
    starts: Starts
    promised: Starts
    started: list[int]
    # What lies between the promises that were read and the last ones is not known.
    newcomers_from: int
    promised_until: int
    has_changed: bool = False


class Rates:
    """Judge by the starts that each gate remembers."""

    def __init__(self, using: str, book: Book, found: Sequence[Candidate]) -> None:
        self._using = using
        self._book = book
        self._ids = [one.id for one in found]
        self._first_us = min(one.starts_us for one in found)
        self._gates: dict[str, _Gate] = {}

    def lets(self, one: Candidate) -> bool:
        """See Door."""
        key = one.keys.get(_KIND)
        if key is None:
            return True
        assert one.policies.rate is not None  # noqa: S101
        gate = self._gates.get(key.id) or self._read(key.id, one.policies.rate)
        was_promised = one.moved_by == key.id
        moment = (gate.starts if was_promised else gate.promised).free(one.starts_us)
        if moment == one.starts_us:
            return True
        if not was_promised:
            moment = gate.promised.free(max(moment, gate.newcomers_from))
        else:
            gate.starts.add(moment)
        gate.promised.add(moment)
        gate.promised_until = max(gate.promised_until, moment)
        gate.has_changed = True
        one.move(moment, key.id)
        return False

    def passed(self, one: Candidate) -> None:
        """See Door."""
        key = one.keys.get(_KIND)
        if key is None:
            return
        gate = self._gates[key.id]
        for moments in (gate.starts, gate.promised):
            moments.add(one.starts_us)
        gate.started.append(one.starts_us)
        gate.has_changed = True

    def finish(self) -> None:
        """Write down what has started, and until when moments were promised."""
        for id_, gate in self._gates.items():
            if gate.has_changed:
                started = Starts(gate.rate.n, gate.rate.gap_us, gate.started)
                kept = started.since(self._first_us)
                state = {"starts": kept, "promised_until": gate.promised_until}
                self._book.change(id_, state=state)

    def _read(self, id_: str, rate: Rate) -> _Gate:
        state = self._book.gate(id_).state or {"starts": [], "promised_until": 0}
        promises: list[int] = []
        newcomers_from = 0
        if state["promised_until"] > self._first_us - rate.gap_us:
            promises, newcomers_from = self._promises(id_, rate)
        gate = _Gate(
            rate,
            Starts(rate.n, rate.gap_us, state["starts"]),
            Starts(rate.n, rate.gap_us, [*state["starts"], *promises]),
            list(state["starts"]),
            newcomers_from,
            state["promised_until"],
        )
        self._gates[id_] = gate
        return gate

    def _promises(self, id_: str, rate: Rate) -> tuple[list[int], int]:
        """Return the promises that are near, and the last ones; and from when on to add to them."""
        first = moment_of(self._first_us - rate.gap_us)
        reach = moment_of(self._first_us + rate.gap_us) + timedelta(seconds=1)
        rows = Execution.objects.using(self._using).filter(
            moved_by=UUID(id_), status__in=Execution.WAITING, due_at__gt=first
        )
        rows = rows.exclude(pk__in=[UUID(one) for one in self._ids])
        moments = rows.values_list("due_at", flat=True)
        near = list(moments.filter(due_at__lte=reach).order_by("due_at")[: 4 * rate.n])
        last = list(moments.filter(due_at__gt=reach).order_by("-due_at")[: 2 * rate.n])
        found = [us_of(moment) for moment in (*near, *last)]
        is_all = len(last) < 2 * rate.n
        return found, 0 if is_all else us_of(last[0])

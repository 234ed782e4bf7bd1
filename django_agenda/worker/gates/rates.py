"""`rate=`: so many starts in any stretch of time, and the others at the next free moments.

The gate keeps the last starts, which alone decide: first by the latest moment at which the body may
begin, and from its outcome on by the moment at which it did. What is put off has been promised a
moment, in its row. Newcomers come behind all promises, unless so many of them were cancelled that
there is room before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from django_agenda.models.execution import Execution
from django_agenda.policies.rate import Rate, Starts

from .book import Book
from .candidate import Candidate, moment_of, us_of

_KIND = "rate"


@dataclass(slots=True)
class _Gate:
    """Know one gate: what has started, and what is to start when.

    `again` is what was promised before and is put off once more, `behind` what comes behind all
    promises: None as long as no newcomer had to ask.
    """

    id: str
    rate: Rate
    starts: Starts
    again: Starts
    promised_until: int
    behind: Starts | None = None
    has_room: bool = True
    has_changed: bool = False


class Rates:
    """Judge by the starts that each gate remembers."""

    def __init__(self, using: str, book: Book, found: Sequence[Candidate]) -> None:
        self._using = using
        self._book = book
        self._ids = [UUID(one.id) for one in found]
        self._gates: dict[str, _Gate] = {}

    def lets(self, one: Candidate) -> bool:
        """See Door."""
        key = one.keys.get(_KIND)
        if key is None:
            return True
        gate = self._gates.get(key.id) or self._read(key.id, one)
        is_newcomer = one.moved_by != key.id
        if is_newcomer:
            self._look_ahead(gate, one.starts_us)
        if gate.starts.opens() <= one.starts_us and (gate.has_room or not is_newcomer):
            return True
        line = gate.behind if is_newcomer and gate.behind else gate.again
        moment = max(one.starts_us, line.opens())
        for moments in (gate.again, gate.behind):
            if moments is not None:
                moments.add(moment + gate.rate.margin_us)
        gate.has_room = gate.has_room and not is_newcomer
        gate.promised_until = max(gate.promised_until, moment)
        gate.has_changed = True
        one.move(moment, key.id)
        return False

    def passed(self, one: Candidate) -> None:
        """See Door."""
        if key := one.keys.get(_KIND):
            gate = self._gates[key.id]
            latest = one.starts_us + gate.rate.tolerance_us
            for moments in (gate.starts, gate.again, gate.behind):
                if moments is not None:
                    moments.add(latest)
            gate.has_changed = True

    def finish(self) -> None:
        """Write down what has started, and until when moments were promised."""
        for id_, gate in self._gates.items():
            if gate.has_changed:
                state = {"starts": gate.starts.moments, "promised_until": gate.promised_until}
                self._book.change(id_, state=state)

    def _read(self, id_: str, one: Candidate) -> _Gate:
        rate = one.policies.rate
        assert rate is not None  # noqa: S101
        state = self._book.gate(id_).state or {"starts": [], "promised_until": 0}
        starts = state["starts"]
        gate = _Gate(id_, rate, Starts(rate, starts), Starts(rate, starts), state["promised_until"])
        self._gates[id_] = gate
        return gate

    def _look_ahead(self, gate: _Gate, moment_us: int) -> None:
        """See, once, what was promised to others."""
        if gate.behind is not None:
            return
        rate = gate.rate
        gate.behind = Starts(rate, gate.starts.moments)
        if gate.promised_until < moment_us - rate.per_us:
            return
        promised = self._promised(gate.id, moment_us - rate.per_us)
        for due_at in promised.order_by("-due_at").values_list("due_at", flat=True)[: rate.n]:
            gate.behind.add(us_of(due_at) + rate.margin_us)
        soon = promised.filter(due_at__lte=moment_of(moment_us + rate.per_us + rate.margin_us))
        before = gate.starts.count_since(moment_us - rate.per_us)
        gate.has_room = before + soon.count() < rate.n

    def _promised(self, id_: str, after_us: int) -> QuerySet[Execution]:
        rows = Execution.objects.using(self._using).filter(
            moved_by=UUID(id_), status__in=Execution.WAITING, due_at__gt=moment_of(after_us)
        )
        return rows.exclude(pk__in=self._ids)

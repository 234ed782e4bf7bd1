"""`concurrency=`: so many at once, and the others in line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django_agenda.broker.entry import Entry
from django_agenda.scheduling.slots import InLine, admit, busy, in_line

from .book import Book
from .candidate import Candidate

_KIND = "concurrency"


class Slots:
    """Give slots to the first of those that are in line and those that have just come."""

    def __init__(
        self, using: str, book: Book, found: Sequence[Candidate], moment: datetime
    ) -> None:
        self._using = using
        self._book = book
        self._moment = moment
        self._let_in: list[str] = []
        self._free: dict[str, int] = {}
        self._line: dict[str, list[InLine]] = {}
        limited = [one for one in found if _KIND in one.keys]
        if limited:
            self._look(limited)

    def lets(self, one: Candidate) -> bool:
        """See Door."""
        key = one.keys.get(_KIND)
        if key is None:
            return True
        line = self._line[key.id]
        while line and self._free[key.id] and line[0] < one.place:
            self._admit_first(key.id)
        if self._free[key.id]:
            return True
        one.wait()
        if self._book.gate(key.id).waiting_since is None:
            self._book.change(key.id, waiting_since=self._moment)
        return False

    def passed(self, one: Candidate) -> None:
        """See Door."""
        if key := one.keys.get(_KIND):
            self._free[key.id] -= 1

    def let_in(self) -> list[Entry]:
        """Let others in where slots are left; return what is to be enqueued."""
        for gate, line in self._line.items():
            while line and self._free[gate]:
                self._admit_first(gate)
        return admit(self._using, self._let_in)

    def _look(self, limited: Sequence[Candidate]) -> None:
        sizes: dict[str, int] = {}
        for one in limited:
            assert one.policies.concurrency is not None  # noqa: S101
            sizes[one.keys[_KIND].id] = one.policies.concurrency.n
        ids = [one.id for one in limited]
        taken = busy(self._using, [UUID(id_) for id_ in sizes], apart_from=ids)
        for id_, size in sizes.items():
            gate = self._book.gate(id_)
            free = max(0, size - taken.get(id_, 0))
            self._free[id_] = free
            waits = free and gate.waiting_since
            self._line[id_] = in_line(self._using, gate.id, free) if waits else []
            if size != gate.size:
                self._book.change(id_, size=size)

    def _admit_first(self, gate: str) -> None:
        self._let_in.append(self._line[gate].pop(0).id)
        self._free[gate] -= 1

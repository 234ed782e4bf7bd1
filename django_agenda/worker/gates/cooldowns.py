"""`cooldown=`: the first starts, and who comes soon after it is skipped."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django_agenda.models.execution import Execution

from .book import Book
from .candidate import Candidate, moment_of, of

_KIND = "cooldown"


class Cooldowns:
    """Judge by the last start that each gate remembers."""

    def __init__(self, using: str, book: Book, found: Sequence[Candidate]) -> None:
        self._book = book
        keys = [one.keys[_KIND].id for one in found if _KIND in one.keys]
        states = [state for id_ in keys if (state := book.gate(id_).state)]
        self._unbegun: set[str] = set()
        if states:
            # What was given back has no attempt: it may be held by now, or have ended unbegun.
            rows = Execution.objects.using(using).filter(
                pk__in={UUID(state["id"]) for state in states}, attempts=0
            )
            self._unbegun = {id_.hex for id_ in rows.values_list("pk", flat=True)}

    def lets(self, one: Candidate) -> bool:
        """See Door. A retry passes, and so does what had started and was given back."""
        key = one.keys.get(_KIND)
        if key is None or not one.is_first_try:
            return True
        state = self._book.gate(key.id).state
        if not state or state["id"] == one.id or one.starts_us >= state["until"]:
            return True
        if state["id"] in self._unbegun:
            return True
        until = moment_of(state["until"]).isoformat(sep=" ", timespec="milliseconds")
        one.skip(f"Skipped by its cooldown{of(key)} until {until}")
        return False

    def passed(self, one: Candidate) -> None:
        """See Door."""
        key = one.keys.get(_KIND)
        if key is None or not one.is_first_try:
            return
        assert one.policies.cooldown is not None  # noqa: S101
        until = one.starts_us + one.policies.cooldown.window_us
        self._book.change(key.id, state={"id": one.id, "until": until})
        self._unbegun.discard(one.id)

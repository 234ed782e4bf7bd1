"""`debounce=`: wait until no more come, and run one of those that came.

Others may come until the very moment, and claims are made ahead of theirs. So the chosen one is
put off by LOOKAHEAD more, and starts as soon as it is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from django_agenda.conf import get_settings
from django_agenda.models.execution import Execution

from .book import Book
from .candidate import Candidate, of, us_of

_KIND = "debounce"
_MICROSECOND = timedelta(microseconds=1)


class Debounces:
    """Judge by whom each gate has chosen to run, and until when it is to wait."""

    def __init__(self, using: str, book: Book, found: Sequence[Candidate], moment_us: int) -> None:
        self._book = book
        self._moment_us = moment_us
        self._ahead_us = get_settings().LOOKAHEAD // _MICROSECOND
        gates = {one.keys[_KIND].id for one in found if _KIND in one.keys}
        self._alive = self._look(using, {id_: book.gate(id_).state for id_ in gates})

    def lets(self, one: Candidate) -> bool:
        """See Door. A retry passes, and so does what had started and was given back."""
        key = one.keys.get(_KIND)
        if key is None or not one.is_first_try:
            return True
        assert one.policies.debounce is not None  # noqa: S101
        state = self._book.gate(key.id).state
        if state and state["id"] == one.id:
            if state["ran"] or self._moment_us >= state["until"]:
                one.starts_us = self._moment_us
                return True
            one.move(state["until"] + self._ahead_us, key.id)
            return False
        reason = f"Skipped by its debounce{of(key)}: "
        waits = state and not state["ran"] and state["id"] in self._alive
        # Whoever was put off by its rate was chosen before that.
        if waits and one.moved_by is not None:
            one.skip(f"{reason}a later one runs")
            return False
        until = one.starts_us + one.policies.debounce.settle_us
        if waits and one.policies.debounce.keep == "first":
            self._choose(key.id, {**state, "until": max(until, state["until"])})
            one.skip(f"{reason}an earlier one runs")
        else:
            self._choose(key.id, {"id": one.id, "until": until, "ran": False})
            one.move(until + self._ahead_us, key.id)
        return False

    def passed(self, one: Candidate) -> None:
        """See Door."""
        key = one.keys.get(_KIND)
        if key is not None and one.is_first_try:
            self._choose(key.id, {**self._book.gate(key.id).state, "ran": True})

    def _look(self, using: str, states: Mapping[str, Any]) -> set[str]:
        """Return which of the chosen ones will run soon: none that is held, or was moved away."""
        chosen = {
            UUID(state["id"]): (UUID(gate), state["until"] + self._ahead_us)
            for gate, state in states.items()
            if state and not state["ran"]
        }
        if not chosen:
            return set()
        rows = Execution.objects.using(using).filter(
            Q(status=Execution.Status.RUNNING)
            | Q(status__in=Execution.WAITING, held_by__in=Execution.UNASKED),
            pk__in=chosen,
        )
        alive = set()
        for id_, moved_by, due_at in rows.values_list("pk", "moved_by", "due_at"):
            gate, latest = chosen[id_]
            if moved_by != gate or us_of(due_at) <= latest:
                alive.add(id_.hex)
        return alive

    def _choose(self, gate: str, state: dict[str, Any]) -> None:
        self._book.change(gate, state=state)
        self._alive.add(state["id"])

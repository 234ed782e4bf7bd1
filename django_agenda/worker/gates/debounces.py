"""`debounce=`: wait until no more come, and run one of those that came.

Others may come until the very moment, and claims are made ahead of theirs. So the chosen one is
put off by LOOKAHEAD more, and starts as soon as it is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django_agenda.conf import get_settings
from django_agenda.models.execution import Execution

from .book import Book
from .candidate import Candidate, of

_KIND = "debounce"
_MICROSECOND = timedelta(microseconds=1)


class Debounces:
    """Judge by whom each gate has chosen to run, and until when it is to wait."""

    def __init__(self, using: str, book: Book, found: Sequence[Candidate], moment_us: int) -> None:
        self._book = book
        self._moment_us = moment_us
        self._ahead_us = get_settings().LOOKAHEAD // _MICROSECOND
        states = [book.gate(one.keys[_KIND].id).state for one in found if _KIND in one.keys]
        chosen = {UUID(state["id"]) for state in states if state and not state["ran"]}
        self._alive: set[str] = set()
        if chosen:
            rows = Execution.objects.using(using).filter(pk__in=chosen, status__in=Execution.LIVE)
            self._alive = {id_.hex for id_ in rows.values_list("pk", flat=True)}

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
        if waits and one.moved_by == key.id:
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

    def _choose(self, gate: str, state: dict[str, Any]) -> None:
        self._book.change(gate, state=state)
        self._alive.add(state["id"])

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
from django_agenda.policies.debounce import Debounce
from django_agenda.tasks.gates import Key

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
        debounce = one.policies.debounce
        assert debounce is not None  # noqa: S101
        state = self._book.gate(key.id).state
        if state and state["id"] == one.id:
            if state["ran"] or self._moment_us >= state["until"]:
                one.starts_us = self._moment_us
                return True
            one.move(state["until"] + self._ahead_us, key.id)
            return False
        waits = state and not state["ran"] and state["id"] in self._alive
        if one.moved_by is None:
            self._come(one, key, debounce, state if waits else {})
        elif waits or self._replaced(one, state):
            _skip(one, key, debounce)
        else:
            self._come(one, key, debounce, {})
        return False

    def passed(self, one: Candidate) -> None:
        """See Door."""
        key = one.keys.get(_KIND)
        if key is not None and one.is_first_try:
            self._choose(key.id, {**self._book.gate(key.id).state, "ran": True})

    def _come(self, one: Candidate, key: Key, debounce: Debounce, state: Mapping[str, Any]) -> None:
        """Let it wait instead of the one that waits by `state`, if any, or for the sake of it."""
        until = max(one.starts_us + debounce.settle_us, state.get("until", 0))
        if state and not _is_preferred(one, debounce, state["due_us"]):
            self._choose(key.id, {**state, "until": until})
            _skip(one, key, debounce)
            return
        latest = until + self._ahead_us
        chosen = {"id": one.id, "due_us": one.due_us, "until": until, "ran": False}
        self._choose(key.id, {"since": latest, **state, **chosen})
        one.move(latest, key.id)

    def _replaced(self, one: Candidate, state: Mapping[str, Any]) -> bool:
        """Tell whether one that was put off belongs to the burst of which another one has run.

        Those of a burst were put off to moments from that of the first to that of the last. What
        was paused or rescheduled meanwhile has begun none of it, and lies outside.
        """
        if not (state and state["ran"]):
            return False
        return bool(state["since"] <= one.due_us <= state["until"] + self._ahead_us)

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


def _is_preferred(one: Candidate, debounce: Debounce, chosen_us: int) -> bool:
    """Tell whether it runs instead of one that was due at `chosen_us`, though judged after it.

    Locks do not let workers in by the order of what they have claimed.
    """
    return one.due_us < chosen_us if debounce.keep == "first" else one.due_us >= chosen_us


def _skip(one: Candidate, key: Key, debounce: Debounce) -> None:
    kept = "an earlier" if debounce.keep == "first" else "a later"
    one.skip(f"Skipped by its debounce{of(key)}: {kept} one runs")

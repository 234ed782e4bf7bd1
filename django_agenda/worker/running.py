"""What runs in a worker process, whichever of its pools it runs in."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import NamedTuple

from django_agenda.clock import monotonic

from .board import Board
from .claim import Claim
from .context import ClaimContext
from .in_hand import InHand


class Body(NamedTuple):
    """Hold a claim that runs, and since when, if its time is limited.

    `thread_id` is None for what runs elsewhere than in a thread.
    """

    claim: Claim
    slot: int | None
    began: float
    ends: float
    thread_id: int | None


# The same as it is kept: to make a named tuple costs as much as all the rest.
_Raw = tuple[Claim, int | None, float, float, int | None]


class Bodies:
    """Know what runs in this process, whichever pool it runs in.

    Each body is taken out once: by end(), or by write_off() when it is stuck; so only one of the
    two tells what came of it.
    """

    def __init__(self, board: Board, in_hand: InHand, grace: timedelta) -> None:
        self._board = board
        self._in_hand = in_hand
        self._grace = grace.total_seconds()
        self._bodies: dict[int, _Raw] = {}
        self._written_off: dict[int, _Raw] = {}
        self._lock = threading.Lock()

    def begin(
        self, claim: Claim, slot: int | None, thread_id: int | None = None
    ) -> ClaimContext | None:
        """Note that a body starts, in a slot of its own or in a spare one.

        Returns the context in which to run it; None when it was let go of meanwhile.
        """
        context = self._in_hand.begin(claim)
        if context is None:
            return None
        limit = claim.task.timeout
        began = ends = 0.0
        if limit is not None:
            began = monotonic()
            ends = began + limit.total_seconds() + self._grace
        self._note(claim, slot, began, ends, thread_id)
        return context

    def begin_elsewhere(self, claim: Claim) -> ClaimContext | None:
        """Note that a body starts in another process, which can be killed if it is stuck."""
        context = self._in_hand.begin(claim)
        if context is not None:
            self._note(claim, None, 0.0, 0.0, None)
        return context

    def end(self, claim: Claim) -> bool:
        """Note that it has ended; tell whether that still matters."""
        self._in_hand.end(claim)
        with self._lock:
            body = self._bodies.pop(id(claim), None)
            self._clear(body or self._written_off.pop(id(claim)))
        return body is not None

    def overdue(self) -> list[Body]:
        """Return those that are stuck: their time-out is over, and so is the grace after it."""
        moment = monotonic()
        return [Body(*body) for body in list(self._bodies.values()) if 0.0 < body[3] < moment]

    def write_off(self, body: Body) -> bool:
        """Take it out; tell whether it was still there. Its slot is taken until it ends."""
        claim = body.claim
        with self._lock:
            if self._bodies.pop(id(claim), None) is None:
                return False
            self._written_off[id(claim)] = body
            if body.slot is not None:
                self._board.begin(body.slot, (claim.id, claim.attempt), 0.0)
        return True

    def take_all(self) -> list[Claim]:
        """Write off everything that runs, and return it."""
        return [body[0] for body in list(self._bodies.values()) if self.write_off(Body(*body))]

    def _note(
        self, claim: Claim, slot: int | None, began: float, ends: float, thread_id: int | None
    ) -> None:
        if slot is None and self._board.spare:
            slot = self._board.spare.pop()
        if slot is not None:
            self._board.begin(slot, (claim.id, claim.attempt), ends)
        self._bodies[id(claim)] = (claim, slot, began, ends, thread_id)

    def _clear(self, body: _Raw) -> None:
        claim, slot = body[0], body[1]
        if claim.task.on_worker_lost == "fail":
            # Until its outcome is stored it must not be mistaken for one that never began.
            self._board.remember((claim.id, claim.attempt))
        if slot is not None:
            self._board.end(slot)
            if slot >= self._board.concurrency:
                self._board.spare.append(slot)

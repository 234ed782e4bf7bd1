"""Fire the ticks of schedules at their moments.

One worker fires: the leader, which knows the moment of the next tick and wakes for it. Whatever
moves a tick to an earlier moment pushes a token into a list of the broker, for which the leader's
bell waits. Every other worker looks PATIENCE after the moment, and fires what the leader has not,
because it was killed or hangs; each tick is fired once however many fire.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django_agenda.broker import broker
from django_agenda.clock import monotonic, now
from django_agenda.conf import Settings
from django_agenda.scheduling.declare import declare
from django_agenda.scheduling.tick import NO_TIME, fire_due, next_tick
from django_agenda.scheduling.turn import let_all_go

from .trouble import BROKER, Trouble

# So long before its moment a tick is written, that its round trips are over by then.
AHEAD = timedelta(milliseconds=100)
PATIENCE = timedelta(seconds=1)
# How often it looks whether another release has disabled what this one declares.
DECLARE_EVERY = 60.0
LOOK_AGAIN = 1.0


class Ticker:
    """Fire what is due, and wait for what is next."""

    def __init__(self, using: str, settings: Settings, leads: Callable[[], bool]) -> None:
        self._using = using
        self._leads = leads
        self._longest = settings.MAX_BLOCK.total_seconds()
        self._declared_at: float | None = None
        self._turns_at = 0.0
        self._turn_every = settings.CARETAKER_INTERVAL.total_seconds()

    def tick(self) -> float:
        """Fire what is due; return the seconds until the next tick."""
        self._declare()
        leads = self._leads()
        ahead = AHEAD if leads else -PATIENCE
        if fire_due(self._using, ahead):
            return 0.0  # there may be more
        if leads and monotonic() >= self._turns_at:
            self._turns_at = monotonic() + self._turn_every
            let_all_go(self._using)
        tick = next_tick(self._using)
        if tick is None:
            return self._longest
        wait = tick - ahead - now()
        if leads and wait <= NO_TIME:
            # Left until its moment, because a run before it is alive.
            wait = tick - now()
        return min(self._longest, max(0.0, wait.total_seconds()))

    def catch_up(self) -> None:
        """Fire what is due, whoever leads."""
        self._declare()
        while fire_due(self._using):
            pass

    def _declare(self) -> None:
        is_start = self._declared_at is None
        if self._declared_at is None or monotonic() >= self._declared_at + DECLARE_EVERY:
            declare(self._using, is_start=is_start)
            self._declared_at = monotonic()


class Bell:
    """Wake the leader's ticker, with a connection of its own, which blocks."""

    def __init__(
        self,
        settings: Settings,
        leads: Callable[[], bool],
        trouble: Trouble,
        wake: Callable[[], None],
    ) -> None:
        self._seconds = settings.MAX_BLOCK.total_seconds()
        self._leads = leads
        self._trouble = trouble
        self._wake = wake

    def tick(self) -> float:
        """Block for a token, and wake the ticker when there is one."""
        if not self._leads() or self._trouble.is_on(BROKER):
            return min(LOOK_AGAIN, self._seconds)
        if broker.wait_for_schedules(seconds=self._seconds):
            self._wake()
        return 0.0

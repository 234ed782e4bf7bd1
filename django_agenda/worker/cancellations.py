"""Hear of cancellations, pauses and strikes that came while this worker held the execution."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from django.db import close_old_connections

from django_agenda.conf import Settings
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.scheduling.enqueue import tell
from django_agenda.scheduling.struck import read

from .claim import Claim
from .claims import return_claims
from .hands import Hands
from .holdings import Holdings
from .in_hand import InHand
from .struck import is_struck

# Twice in the second within which a strike, or a cancellation, is to be heard of.
LONGEST = 0.5
_AT_ONCE = 500


class Cancellations:
    """Ask the database twice a second, and only about what is in hand.

    So a body may still be started up to a second after the commit of its cancellation, if the
    worker had claimed it before; then it learns of it by `current.cancelled`. What a strike matches
    by now is given back likewise, and held at its next claim. A batch that this very process
    pauses, as `max_failures` does, gives back at once what was not started.
    """

    def __init__(
        self,
        using: str,
        settings: Settings,
        hands: Hands,
        in_hand: InHand,
        holdings: Holdings,
    ) -> None:
        self._using = using
        self._interval = min(LONGEST, settings.HEARTBEAT.total_seconds())
        self._hands = hands
        self._in_hand = in_hand
        self._holdings = holdings
        self._owed: deque[Claim] = deque()
        self.wake: Callable[[], None] = lambda: None

    def tick(self) -> float:
        """Tell the bodies that run, and give back what was not started: that ends it."""
        for ids in bulk.chunked(self._in_hand.ids(), _AT_ONCE):
            close_old_connections()
            asked = Execution.objects.using(self._using).filter(
                pk__in=ids, status=Execution.Status.RUNNING, cancel_requested_at__isnull=False
            )
            found = {id_.hex for id_ in asked.order_by().values_list("pk", flat=True)}
            self._owed += self._in_hand.cancel(found) if found else []
        self._heed_strikes()
        self._give_back()
        return self._interval

    def hear_of_pause(self, *, batch_id: int, **_: Any) -> None:
        """Start nothing more of a batch; receives `batch_paused`."""
        if claims := self._in_hand.let_go_of(batch_id):
            self._owed += claims
            self.wake()

    def _heed_strikes(self) -> None:
        if not (waiting := self._in_hand.waiting()):
            return
        strikes = read(self._using)
        struck = [claim for claim in waiting if is_struck(claim, strikes)]
        self._owed += self._in_hand.let_go(struck)

    def _give_back(self) -> None:
        """Give back what is owed, or keep owing it when the database does not answer."""
        owed = list(self._owed)
        if not owed:
            return
        entries = return_claims(self._using, owed)
        for _ in owed:
            self._owed.popleft()
        self._holdings.drop(owed)
        self._hands.put_down(len(owed))
        tell([], entries)

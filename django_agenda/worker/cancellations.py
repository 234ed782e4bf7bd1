"""Hear of cancellations that were asked for while this worker held the execution."""

from __future__ import annotations

from django.db import close_old_connections

from django_agenda.conf import Settings
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.scheduling.change import tell

from .claim import Claim
from .claims import return_claims
from .hands import Hands
from .holdings import Holdings
from .in_hand import InHand

LONGEST = 1.0
_AT_ONCE = 500


class Cancellations:
    """Ask the database every second, and only about what is in hand.

    So a body may still be started up to a second after the commit of its cancellation, if the
    worker had claimed it before; then it learns of it by `current.cancelled`.
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
        self._owed: list[Claim] = []

    def tick(self) -> float:
        """Tell the bodies that run, and give back what was not started: that ends it."""
        for ids in bulk.chunked(self._in_hand.ids(), _AT_ONCE):
            close_old_connections()
            asked = Execution.objects.using(self._using).filter(
                pk__in=ids, status=Execution.Status.RUNNING, cancel_requested_at__isnull=False
            )
            found = {id_.hex for id_ in asked.order_by().values_list("pk", flat=True)}
            self._owed += self._in_hand.cancel(found) if found else []
        if self._owed:
            self._give_back()
        return self._interval

    def _give_back(self) -> None:
        entries = return_claims(self._using, self._owed)
        self._holdings.drop(self._owed)
        self._hands.put_down(len(self._owed))
        self._owed = []
        tell([], entries)

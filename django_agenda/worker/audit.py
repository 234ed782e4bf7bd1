"""Compare the rows that name this worker with what it really holds."""

from __future__ import annotations

from django_agenda.clock import monotonic
from django_agenda.conf import Settings
from django_agenda.models.execution import Execution
from django_agenda.scheduling.enqueue import enqueue
from django_agenda.signals import executions_healed

from .claims import give_back
from .heart import Heart
from .holdings import Holdings
from .trouble import Trouble


class Audit:
    """Give back what runs under this incarnation and is in nobody's hands.

    That is what a claim leaves whose commit was done and whose answer was lost. The rescue, which
    waits for this worker's end, would never find it.
    """

    def __init__(
        self, using: str, settings: Settings, *, heart: Heart, holdings: Holdings, trouble: Trouble
    ) -> None:
        self._using = using
        self._interval = settings.AUDIT_INTERVAL.total_seconds()
        self._heart = heart
        self._holdings = holdings
        self._trouble = trouble
        self._failures = trouble.failures
        self._next = monotonic() + self._interval

    def look(self) -> int:
        """Look when it is time, or when something failed since the last look; return how many."""
        failures = self._trouble.failures
        if failures == self._failures and monotonic() < self._next:
            return 0
        worker = self._heart.worker
        own = Execution.objects.using(self._using).filter(
            status=Execution.Status.RUNNING, claimed_by=worker.pk
        )
        # Rows first, then what is held: see Holdings.
        tokens = [(id_.hex, attempt) for id_, attempt in own.values_list("pk", "attempts")]
        unknown = self._holdings.unknown(tokens)
        entries = give_back(self._using, worker, unknown)
        self._failures = failures
        self._next = monotonic() + self._interval
        if entries:
            executions_healed.send_robust(Audit, reason="claimed unheard", count=len(entries))
            enqueue(entries)
        return len(entries)

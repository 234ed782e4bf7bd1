"""Notice that nobody could run anything for a while, before the first claim after it."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models.functions import Now

from django_agenda.conf import Settings
from django_agenda.models.worker import Worker
from django_agenda.scheduling.misfire import settle_misfires
from django_agenda.signals import executions_healed


class Misfires:
    """Apply MISFIRE after an outage; in every other case what is overdue is a backlog, and runs.

    It was an outage when no worker has lived through the last MISFIRE_AFTER as this one starts,
    or when the database did not answer this one for that long. What is shorter than WORKER_TTL is
    none, whatever MISFIRE_AFTER says: workers are silent between two heartbeats, too.
    """

    def __init__(self, using: str, settings: Settings, worker: Callable[[], Worker]) -> None:
        self._using = using
        self._after = max(settings.MISFIRE_AFTER, settings.WORKER_TTL)
        self._worker = worker
        self._applies = settings.MISFIRE != "run"
        self._is_new = self._applies
        self._was_silent = False

    def note_silence(self, seconds: float) -> None:
        """Take how long the database had not answered."""
        if self._applies and seconds > self._after.total_seconds():
            self._was_silent = True

    def settle(self) -> None:
        """Do what MISFIRE says, when there was an outage that it was not done for."""
        if not self._is_new and not self._was_silent:
            return
        was_outage = self._was_silent or self._nobody_lived()
        if was_outage and (count := settle_misfires(self._using)):
            executions_healed.send_robust(Misfires, reason="misfired", count=count)
        self._is_new = self._was_silent = False

    def _nobody_lived(self) -> bool:
        then = Now() - self._after
        others = Worker.objects.using(self._using).exclude(pk=self._worker().pk)
        return not others.filter(started_at__lte=then, beat_at__gte=then).exists()

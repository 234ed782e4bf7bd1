"""The chores: one worker does them for all, and two that do them at once do no harm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import close_old_connections
from django.db.models import Q
from django.db.models.functions import Now

from django_agenda.broker import broker
from django_agenda.clock import monotonic, now
from django_agenda.conf import Settings
from django_agenda.exceptions import UnknownTask
from django_agenda.models.execution import Execution
from django_agenda.models.worker import Worker
from django_agenda.scheduling import reconcile
from django_agenda.scheduling.enqueue import enqueue
from django_agenda.scheduling.settle import settle_all
from django_agenda.signals import executions_healed
from django_agenda.tasks.registry import lookup

from .hands import Hands
from .heart import Heart
from .queues import Queues
from .rescue import declare_lost, rescue


class Caretaker:
    """Look every few seconds for what has gone wrong, and put it right."""

    def __init__(
        self,
        using: str,
        settings: Settings,
        queues: Queues,
        hands: Hands,
        *,
        heart: Heart,
        take: Callable[[list[str], datetime, float], int],
    ) -> None:
        self._using = using
        self._ttl = settings.WORKER_TTL
        self._interval = settings.CARETAKER_INTERVAL.total_seconds()
        self._queues = queues
        self._hands = hands
        self._heart = heart
        self._take = take
        self._unfinished = reconcile.Unfinished(using)
        self._overdue = reconcile.Overdue(using)

    def tick(self) -> float:
        """Do every chore once; those for all workers only while this one leads."""
        close_old_connections()
        self._adopt()
        if self._leads():
            self._heal_rows()
            self._heal_broker()
        return self._interval

    def _leads(self) -> bool:
        """Tell whether this is the eldest living worker: ids ascend with the time of birth."""
        living = Worker.objects.using(self._using).filter(
            status=Worker.Status.ACTIVE, beat_at__gte=Now() - self._ttl
        )
        return living.order_by("pk").values_list("pk", flat=True).first() == self._heart.worker.pk

    def _heal_rows(self) -> None:
        if self._heart.may_judge:
            declare_lost(self._using, self._ttl)
        while True:
            count, entries = rescue(self._using)
            if not count:
                break
            _healed("worker lost", count)
            enqueue(entries)
        _healed("expired", reconcile.miss_expired(self._using))
        settle_all(self._using)

    def _heal_broker(self) -> None:
        if not broker.is_filled():
            _healed("broker was empty", reconcile.refill(self._using))
        _healed("paused in one place only", reconcile.tell_paused(self._using))
        _healed("never enqueued", self._unfinished.enqueue())
        _healed("refused before", reconcile.enqueue_pending(self._using))
        _healed("overdue and not enqueued", self._overdue.enqueue())

    def _adopt(self) -> None:
        """Claim what other workers put aside because they know no such task."""
        if not self._hands.free:
            return
        aside = self._queues.of(
            Execution.objects.using(self._using).filter(held_by=Execution.UNKNOWN_TASK)
        )
        names = aside.values_list("task_name", flat=True).distinct().order_by()
        known = [name for name in names if _is_known(name)]
        if not known:
            return
        moment = now()
        unexpired = Q(expires_at=None) | Q(expires_at__gte=moment)
        rows = aside.filter(unexpired, task_name__in=known, due_at__lte=moment).order_by("due_at")
        ids = [id_.hex for id_ in rows.values_list("pk", flat=True)[: self._hands.free]]
        if ids:
            self._take(ids, now(), monotonic())


def _is_known(name: str) -> bool:
    try:
        lookup(name)
    except UnknownTask:
        return False
    return True


def _healed(reason: str, count: int) -> None:
    if count:
        executions_healed.send_robust(Caretaker, reason=reason, count=count)

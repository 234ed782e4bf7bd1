"""The chores: one worker does them for all, and two that do them at once do no harm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Q

from django_agenda.broker import broker
from django_agenda.clock import monotonic, now
from django_agenda.conf import Settings
from django_agenda.exceptions import UnknownTask
from django_agenda.models.execution import Execution
from django_agenda.scheduling import reconcile
from django_agenda.scheduling.digest import Digests
from django_agenda.scheduling.feed import Feed
from django_agenda.scheduling.restore import release_orphans
from django_agenda.scheduling.retention import Retention
from django_agenda.scheduling.settle import settle_all
from django_agenda.scheduling.slots import let_all_in
from django_agenda.scheduling.unknown import fail_unknown
from django_agenda.signals import executions_healed
from django_agenda.tasks.registry import lookup

from .audit import Audit
from .fleet import has_been_heard, lead
from .hands import Hands
from .heart import Heart
from .queues import Queues
from .rescue import declare_lost, rescue_all

# A server that came back with old data shows that only by its name, which costs a command more.
SERVER_EVERY = 5
# What a strike holds that is gone is the remains of a death, and in no hurry.
ORPHANS_EVERY = 10.0


# A leader that was killed is followed after three looks, but not before this.
LEAD = timedelta(seconds=1)


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
        audit: Audit,
        take: Callable[[list[str], datetime, float], int],
    ) -> None:
        self._using = using
        self._ttl = settings.WORKER_TTL
        self._unknown_ttl = settings.UNKNOWN_TASK_TTL
        self._interval = settings.CARETAKER_INTERVAL.total_seconds()
        self._lead = max(settings.CARETAKER_INTERVAL * 3, LEAD)
        self._queues = queues
        self._hands = hands
        self._heart = heart
        self._audit = audit
        self._take = take
        self._is_new = True
        self.leads = False
        self.took_lead: Callable[[], object] = dict
        self._unknown_at = 0.0
        self._orphans_at = 0.0
        self._unfinished = reconcile.Unfinished(using)
        self._looks = 0
        self._overdue = reconcile.Overdue(using)
        self._feed = Feed(using)
        self._retention = Retention(using)
        self._digests = Digests(using)

    def tick(self) -> float:
        """Do every chore once; those for all workers only while this one leads."""
        self._audit.look()
        self._adopt()
        is_new, self._is_new = self._is_new, False
        led, self.leads = self.leads, lead(self._using, self._heart.worker.pk, self._lead)
        if self.leads and not led:
            self.took_lead()
        # Always at the first look: workers that die sooner than a lead lapses heal as well.
        if self.leads or is_new:
            self._heal_rows()
            self._heal_broker()
            self._feed.enqueue()
            self._retention.prune()
            self._digests.write()
        return self._interval

    def _heal_rows(self) -> None:
        declare_lost(self._using, self._ttl, on_condition=has_been_heard(self._using, self._ttl))
        for count in rescue_all(self._using):
            _healed("worker lost", count)
        _healed("expired", reconcile.miss_expired(self._using))
        if monotonic() >= self._unknown_at:
            self._unknown_at = monotonic() + min(60.0, self._unknown_ttl.total_seconds() / 10)
            _healed("unknown task", fail_unknown(self._using, self._unknown_ttl))
        settle_all(self._using)
        if monotonic() >= self._orphans_at:
            self._orphans_at = monotonic() + ORPHANS_EVERY
            _healed("held by a strike that is gone", release_orphans(self._using))
        _healed("slot was free", let_all_in(self._using))

    def _heal_broker(self) -> None:
        if not self._is_filled():
            _healed("broker was empty", reconcile.refill(self._using))
        _healed("paused in one place only", reconcile.tell_paused(self._using))
        _healed("never enqueued", self._unfinished.enqueue())
        _healed("refused before", reconcile.enqueue_pending(self._using))
        _healed("overdue and not enqueued", self._overdue.enqueue())

    def _is_filled(self) -> bool:
        """Look for the mark at every turn, and whether it is of this very server now and then."""
        self._looks += 1
        return broker.is_filled(same_server=self._looks % SERVER_EVERY == 1)

    def _adopt(self) -> None:
        """Claim what other workers put aside because they know no such task."""
        if not self._hands.free or self._heart.is_quiet:
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

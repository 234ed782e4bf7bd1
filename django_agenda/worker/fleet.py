"""What workers may conclude of each other, by one row and the database's clock.

Silence means something only while others are heard: after an outage of the database everybody was
silent, and must get time to beat again. How long workers have been heard is kept in the database,
so that one that has just started may judge too, and workers that are killed faster than one of
them could watch for a whole TTL are rescued all the same. A gap of half a TTL ends the streak: who
comes through a shorter one has beaten again before the lease lapses.

The chores are done by one worker at a time, the leader. The lead lapses soon after a leader was
killed, and two leaders do no harm.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Case, Exists, F, Q, QuerySet, When
from django.db.models.functions import Now

from django_agenda.models.fleet import Fleet


def sign(using: str, ttl: timedelta) -> None:
    """Note a sign of life of any worker."""
    # A clock that was set back would make the streak begin in the future.
    is_broken = Q(heard_at__lt=Now() - ttl / 2) | Q(heard_since__gt=Now())
    noted = _row(using).update(
        # First, because MySQL reads what earlier assignments of a statement have written.
        heard_since=Case(When(is_broken, then=Now()), default=F("heard_since")),
        heard_at=Now(),
    )
    if not noted:
        first = Fleet(pk=Fleet.THE_ONE, heard_since=Now(), heard_at=Now())
        Fleet.objects.using(using).bulk_create([first], ignore_conflicts=True)


def has_been_heard(using: str, ttl: timedelta) -> Exists:
    """Return the condition under which a lapsed lease means a lost worker."""
    return Exists(_row(using).filter(heard_since__lte=Now() - ttl, heard_at__gte=Now() - ttl / 2))


def lead(using: str, worker_id: Any, lease: timedelta) -> bool:
    """Take or keep the lead for so long; tell whether this worker has it now."""
    is_mine = Q(leader=worker_id)
    has_lapsed = Q(leader_until__lt=Now()) | Q(leader_until__gt=Now() + 2 * lease)
    is_free = Q(leader=None) | Q(leader_until=None) | has_lapsed
    led = _row(using).filter(is_mine | is_free)
    return bool(led.update(leader=worker_id, leader_until=Now() + lease))


def resign(using: str, worker_id: Any) -> None:
    """Leave the lead to whoever looks next."""
    _row(using).filter(leader=worker_id).update(leader=None, leader_until=None)


def _row(using: str) -> QuerySet[Fleet]:
    return Fleet.objects.using(using).filter(pk=Fleet.THE_ONE)

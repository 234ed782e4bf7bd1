"""Judge nobody after an outage: silence means something only while others are heard.

The streak is kept in the database, so that a worker that has just started may judge too, and a
fleet whose workers are killed faster than one of them could watch for a whole TTL still heals.
A gap of half a TTL ends it: a worker that came through a shorter one has beaten again before its
lease lapses.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Case, Exists, F, Q, When
from django.db.models.functions import Now

from django_agenda.models.streak import Streak


def sign(using: str, ttl: timedelta) -> None:
    """Note a sign of life of any worker."""
    the_one = Streak.objects.using(using).filter(pk=Streak.THE_ONE)
    # A clock that was set back would make the streak begin in the future.
    is_broken = Q(last_at__lt=Now() - ttl / 2) | Q(since__gt=Now())
    noted = the_one.update(
        # First, because MySQL reads what earlier assignments of a statement have written.
        since=Case(When(is_broken, then=Now()), default=F("since")),
        last_at=Now(),
    )
    if not noted:
        first = Streak(pk=Streak.THE_ONE, since=Now(), last_at=Now())
        Streak.objects.using(using).bulk_create([first], ignore_conflicts=True)


def is_over(using: str, ttl: timedelta) -> Exists:
    """Return the condition under which a lapsed lease means a lost worker."""
    return Exists(
        Streak.objects.using(using).filter(since__lte=Now() - ttl, last_at__gte=Now() - ttl / 2)
    )

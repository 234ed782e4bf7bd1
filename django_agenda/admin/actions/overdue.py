"""Say how much would start at once when something is let go, and suggest to spread it."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_agenda.admin import wording
from django_agenda.admin.span import MILLISECOND
from django_agenda.clock import now
from django_agenda.models.batch import Batch

from .errand import Errand

_FEW = 2


def overdue_in(errand: Errand) -> int:
    """Count what is within reach and due by now: one statement."""
    return errand.within_reach.filter(due_at__lte=now()).count()


def pace_of(errand: Errand, overdue: int) -> timedelta | None:
    """Return how long these would take at the rate at which their batch was planned."""
    batch = errand.row
    if not isinstance(batch, Batch) or not batch.total:
        return None
    return batch.over * (overdue / batch.total)


def flood_words(overdue: int, pace: timedelta | None = None) -> str:
    """Suggest a spread; nothing when next to nothing is overdue."""
    if overdue < _FEW:
        return ""
    words = ngettext(
        "%(count)s is overdue, and starts at once unless you spread it.",
        "%(count)s are overdue, and start at once unless you spread them.",
        overdue,
    )
    said = words % {"count": wording.count(overdue)}
    if pace is None or pace < timedelta(seconds=1):
        return said
    length = wording.duration(pace / MILLISECOND)
    return f"{said} {_('At the rate of their plan they take %(duration)s.') % {'duration': length}}"

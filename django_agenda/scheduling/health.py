"""Is it well? Progress is what counts: a server that answers may still get nothing done.

The words are in the language of whoever asks; what servers say stays as they say it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError, connections
from django.db.models import Min
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext_lazy

from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.exceptions import BrokerUnavailable
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

from .survey import worker_states
from .tables import lacking_migrations

WELL, BEHIND, BROKEN = 0, 1, 2
_NAMES = {
    "database": pgettext_lazy("a check", "database"),
    "redis": pgettext_lazy("a check", "redis"),
    "migrations": pgettext_lazy("a check", "migrations"),
    "workers": pgettext_lazy("a check", "workers"),
    "lateness": pgettext_lazy("a check", "lateness"),
    "pending": pgettext_lazy("a check", "not enqueued"),
}


class Finding(NamedTuple):
    """Hold what one check found; `level` is WELL, BEHIND (work is late) or BROKEN.

    `waited` is how long the oldest that is due has waited: `words` say it in seconds.
    """

    check: str
    level: int
    words: str
    waited: timedelta | None = None

    @property
    def name(self) -> str:
        """Return what people call the check."""
        return str(_NAMES.get(self.check, self.check))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Say how long work may be overdue, and refused by the broker, before that is a finding."""

    max_lateness: timedelta = timedelta(minutes=1)
    max_pending: timedelta = timedelta(minutes=5)


def examine(using: str, limits: Limits) -> list[Finding]:
    """Run every check that makes sense: what needs a server that is down is left out."""
    found = [_check(_database, using), _check(_redis, using)]
    if found[0].level == WELL:
        found.append(_check(_migrations, using))
    if all(one.level == WELL for one in found if one.check != "redis"):
        found += _progress(using, limits)
    return found


def redis_error() -> str:
    """Return why Redis does not answer; nothing when it does."""
    found = _redis("")
    return "" if found.level == WELL else found.words


def _check(look: Callable[[str], Finding], using: str) -> Finding:
    try:
        return look(using)
    except (DatabaseError, InterfaceError) as error:
        return Finding(look.__name__.removeprefix("_"), BROKEN, " ".join(str(error).split()))


def _database(using: str) -> Finding:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return Finding("database", WELL, _("answers"))


def _redis(using: str) -> Finding:
    try:
        broker.ping()
    except BrokerUnavailable as error:
        return Finding("redis", BROKEN, str(error))
    return Finding("redis", WELL, _("answers"))


def _migrations(using: str) -> Finding:
    if lacking := lacking_migrations(using):
        words = _("not applied: %(names)s") % {"names": ", ".join(lacking)}
        return Finding("migrations", BROKEN, words)
    return Finding("migrations", WELL, _("applied"))


def _progress(using: str, limits: Limits) -> Iterator[Finding]:
    moment = now()
    for look in (_workers, _lateness, _pending):
        try:
            yield look(using, moment, limits)
        except (DatabaseError, InterfaceError) as error:
            yield Finding(look.__name__.removeprefix("_"), BROKEN, " ".join(str(error).split()))


def _workers(using: str, moment: datetime, limits: Limits) -> Finding:
    found = worker_states(using)
    living = [one for one in found if one.is_alive and one.status == "active"]
    if not living:
        quiet = sum(one.is_alive and one.status == "quiet" for one in found)
        words = _("none is at work, %(count)s quiet") if quiet else _("none is alive")
        return Finding("workers", BEHIND, words % {"count": quiet})
    words = ngettext("%(count)s alive", "%(count)s alive", len(living))
    return Finding("workers", WELL, words % {"count": len(living)})


def _lateness(using: str, moment: datetime, limits: Limits) -> Finding:
    due = Execution.objects.using(using).filter(
        status__in=Execution.WAITING, held_by="", due_at__lte=moment
    )
    oldest = due.aggregate(oldest=Min("due_at"))["oldest"]
    if oldest is None:
        return Finding("lateness", WELL, _("nothing is due"))
    late = moment - oldest
    words = _("the oldest that is due has waited %(seconds)s s")
    level = BEHIND if late > limits.max_lateness else WELL
    return Finding("lateness", level, words % {"seconds": f"{late.total_seconds():.1f}"}, late)


def _pending(using: str, moment: datetime, limits: Limits) -> Finding:
    """Judge what the broker refused: in batches since the refusal, elsewhere since it was made."""
    before = moment - limits.max_pending
    refused = Batch.objects.using(using).filter(
        pending__gt=0, finished_at=None, paused_at=None, enqueue_failed_at__lt=before
    )
    single = Execution.objects.using(using).filter(
        status=Execution.Status.PENDING, batch=None, held_by="", created_at__lt=before
    )
    stuck = refused.count()
    if stuck or single.exists():
        words = ngettext(
            "%(count)s batch waits for the broker for too long",
            "%(count)s batches wait for the broker for too long",
            stuck,
        )
        words = words if stuck else _("single executions wait for the broker for too long")
        return Finding("pending", BEHIND, words % {"count": stuck})
    return Finding("pending", WELL, _("nothing waits for the broker for long"))

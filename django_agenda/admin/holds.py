"""Who holds work back on purpose: paused queues and strikes, how much, and how to let it go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue
from django_agenda.models.queue import Queue
from django_agenda.models.strike import Strike
from django_agenda.models.unread import read_rows

from . import wording
from .acting import may_do
from .actions.buttons import Button
from .queues.asks import RESUME
from .states import State

if TYPE_CHECKING:
    from .read_only import ReadOnlyAdmin

# More strikes than this are told as their number.
_SHOWN = 3
QUEUE_PAUSED = State("paused", gettext_lazy("queue paused"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """Hold the paused queues, since when, and the strikes; and how many rows wait by either.

    Both counts go by batch (None: without one) and by name: that of the queue, or `held_by`.
    """

    queues: Mapping[str, datetime]
    strikes: Sequence[Strike]
    by_queue: Mapping[tuple[int | None, str], int]
    by_strike: Mapping[tuple[int | None, str], int]

    @property
    def struck(self) -> int:
        """Return how many the strikes hold."""
        return sum(self.by_strike.values())

    def in_queue(self, name: str) -> int:
        """Return how many wait in a paused queue."""
        return sum(many for (_batch, queue), many in self.by_queue.items() if queue == name)

    def by(self, strike: Strike) -> int:
        """Return how many a strike holds."""
        held_by = strike.held_by
        return sum(many for (_batch, name), many in self.by_strike.items() if name == held_by)

    def queues_of(self, batch_id: int) -> list[str]:
        """Return the paused queues in which something of a batch waits."""
        return sorted(name for batch, name in self.by_queue if batch == batch_id)

    def struck_of(self, batch_id: int) -> int:
        """Return how many of a batch the strikes hold."""
        return sum(many for (batch, _name), many in self.by_strike.items() if batch == batch_id)


NO_HOLDS = Holds(queues={}, strikes=(), by_queue={}, by_strike={})


def read_holds(rows: QuerySet[Execution], *, until: datetime | None = None) -> Holds:
    """Read them in two statements, and what they hold in one each, if there are any.

    `until` leaves out what waits in a paused queue and is due later than that.
    """
    queues = dict(PausedQueue.objects.values_list("name", "paused_at"))
    strikes = read_rows(Strike.objects.all(), *Strike.PAYLOAD)
    waiting = rows.filter(status__in=Execution.WAITING, finished_at=None).order_by()
    in_queues = waiting.filter(held_by="", queue_name__in=list(queues))
    if until is not None:
        in_queues = in_queues.filter(due_at__lte=until)
    held = waiting.exclude(held_by="").filter(held_by__in=[one.held_by for one in strikes])
    return Holds(
        queues=queues,
        strikes=strikes,
        by_queue=_count(in_queues, "queue_name") if queues else {},
        by_strike=_count(held, "held_by") if strikes else {},
    )


def _count(rows: QuerySet[Execution], name: str) -> dict[tuple[int | None, str], int]:
    found: Any = rows.values_list("batch", name).annotate(many=Count("pk"))
    return {(batch, value): many for batch, value, many in found}


def hold_banners(
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    holds: Holds,
    moment: datetime,
    *,
    everywhere: bool = True,
) -> list[SafeString | str]:
    """Say what is held back in a sentence each, with links to it and to its repair.

    Unless `everywhere` only what holds something of these rows is named.
    """
    queues = [name for name in holds.queues if everywhere or holds.in_queue(name)]
    strikes = [one for one in holds.strikes if everywhere or holds.by(one)]
    found = [_queue_banner(admin, request, name, holds, moment) for name in queues]
    if not strikes:
        return found
    if len(strikes) > _SHOWN or not admin.can_see(request, Strike):
        words = _struck_words(len(strikes))
        return [*found, linked(words, admin.seen_list_url(request, Strike))]
    return found + [_strike_banner(admin, request, one, holds) for one in strikes]


def resume_queue_button(admin: ReadOnlyAdmin, request: HttpRequest, name: str) -> list[Button]:
    """Return the link that asks before a queue goes on, for those who may."""
    if not (may_do(request, "control_batch") and admin.can_see(request, Queue)):
        return []
    label = _("%(action)s …") % {"action": str(RESUME.ask) % {"name": name}}
    queues: Any = admin.admin_site.get_model_admin(Queue)
    return [Button(label=label, url=queues.action_url(Queue(pk=name), RESUME), is_repair=True)]


def struck_words(count: int) -> str:
    """Say how many are held by strikes, if any."""
    words = ngettext("%(count)s held by strikes", "%(count)s held by strikes", count)
    return words % {"count": wording.count(count)} if count else ""


def struck_facts(
    admin: ReadOnlyAdmin, request: HttpRequest, batch: Batch, holds: Holds
) -> list[tuple[str, SafeString | str]]:
    """Say how many strikes hold: without that a batch might seem to be stuck."""
    if not holds.struck:
        return []
    names = sorted(name for _batch, name in holds.by_strike)
    url = admin.seen_list_url(request, Execution, held_by=names[0]) if len(names) == 1 else ""
    return [
        (
            _("Held by strikes"),
            linked(wording.count(holds.struck), url and f"{url}&batch__id__exact={batch.pk}"),
        )
    ]


def _queue_banner(
    admin: ReadOnlyAdmin, request: HttpRequest, name: str, holds: Holds, moment: datetime
) -> SafeString | str:
    many = holds.in_queue(name)
    words = ngettext(
        "Queue %(name)s was paused %(when)s, and nothing of it is started: %(count)s waits",
        "Queue %(name)s was paused %(when)s, and nothing of it is started: %(count)s wait",
        many,
    )
    when = wording.distance(holds.queues[name], moment)
    said = words % {"name": name, "when": when, "count": wording.count(many)}
    link = linked(said, admin.seen_list_url(request, Queue))
    return _with_buttons(link, resume_queue_button(admin, request, name))


def _strike_banner(
    admin: ReadOnlyAdmin, request: HttpRequest, strike: Strike, holds: Holds
) -> SafeString | str:
    many = holds.by(strike)
    words = ngettext(
        "Struck: %(what)s; %(count)s is held", "Struck: %(what)s; %(count)s are held", many
    )
    said = words % {"what": strike.describe(), "count": wording.count(many)}
    buttons = []
    if may_do(request, "restore_strike"):
        strikes: Any = admin.admin_site.get_model_admin(Strike)
        label = _("%(action)s …") % {"action": _("Restore")}
        buttons.append(Button(label=label, url=strikes.restore_url(strike)))
    return _with_buttons(linked(said, admin.url_of(strike)), buttons)


def _struck_words(count: int) -> str:
    words = ngettext(
        "%(count)s strike stands: what it matches is held",
        "%(count)s strikes stand: what they match is held",
        count,
    )
    return words % {"count": wording.count(count)}


def linked(words: str, url: str) -> SafeString | str:
    """Return words as a link, if there is an address."""
    return format_html('<a href="{}">{}</a>', url, words) if url else words


def _with_buttons(words: SafeString | str, buttons: Sequence[Button]) -> SafeString | str:
    links = format_html_join(
        "", ' <a class="ag-button" href="{}">{}</a>', ((one.url, one.label) for one in buttons)
    )
    return format_html("{}{}", words, links) if buttons else words

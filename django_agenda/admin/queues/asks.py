"""What can be asked of queues, and of the agreement between Redis and the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from django_agenda.admin import wording
from django_agenda.admin.actions.forms import SpanWish, Wish
from django_agenda.admin.actions.history import write_down_one
from django_agenda.admin.actions.offer import Offer, confirm
from django_agenda.admin.actions.overdue import flood_words
from django_agenda.scheduling.pause_queue import pause_queue
from django_agenda.scheduling.resume_queue import resume_queue
from django_agenda.scheduling.survey import QueueState

if TYPE_CHECKING:
    from .view import QueueAdmin


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Offer):
    """Hold one thing that can be asked of a queue; `ask` and `done` write %(name)s."""

    right: str = "control"
    fits: Callable[[QueueState], bool]
    carry_out: Callable[[str, Wish], bool]


PAUSE = Ask(
    slug="pause",
    label=gettext_lazy("Pause"),
    ask=gettext_lazy("Pause queue %(name)s"),
    done=gettext_lazy("Paused queue %(name)s"),
    effect=gettext_lazy(
        "Nothing more of this queue is claimed until somebody resumes it; what runs already runs"
        " to its end. New executions may be added meanwhile."
    ),
    fits=lambda queue: not queue.is_paused,
    carry_out=lambda name, _wish: pause_queue(name),
)
RESUME = Ask(
    slug="resume",
    label=gettext_lazy("Resume"),
    ask=gettext_lazy("Resume queue %(name)s"),
    done=gettext_lazy("Resumed queue %(name)s"),
    effect=gettext_lazy(
        "What is overdue by now runs at once, or is spread; what has expired meanwhile is missed,"
        " unless it is spread."
    ),
    fits=lambda queue: queue.is_paused,
    carry_out=lambda name, wish: resume_queue(name, wish.wish["over"]),
    form=SpanWish,
)
ASKS = (PAUSE, RESUME)


def ask_of_queue(
    admin: QueueAdmin, request: HttpRequest, queue: QueueState, ask: Ask
) -> HttpResponse:
    """Ask before, or do it when that page was sent."""
    form = ask.form(request.POST if request.method == "POST" else None)
    named = {"name": queue.name}
    back = admin.page_url()
    if request.method == "POST" and form.is_valid():
        # The verb looks again: somebody else may have been faster.
        if ask.carry_out(queue.name, form):
            with override(None):
                message = str(ask.done) % named + "."
                write_down_one(request, queue.name, " ".join([message, *form.reasons()]))
            admin.message_user(request, str(ask.done % named) + ".", messages.SUCCESS)
        else:
            admin.message_user(request, _("Nothing was changed."), messages.WARNING)
        return HttpResponseRedirect(back)
    numbers = [
        (_("waiting"), wording.count(queue.waiting)),
        (_("of them due"), wording.count(queue.due)),
        (_("of them held"), wording.count(queue.held)),
    ]
    return confirm(
        admin,
        request,
        str(ask.ask % named),
        form,
        effect=ask.effect,
        seen=queue.waiting,
        numbers=numbers,
        hint=flood_words(queue.due) if ask is RESUME else "",
        has_work=ask.fits(queue),
        back=back,
    )

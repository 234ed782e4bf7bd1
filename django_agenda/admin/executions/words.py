"""Say in a sentence where an execution stands, and by what it is held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_agenda.admin import states, wording
from django_agenda.models.execution import Execution
from django_agenda.models.paused_queue import PausedQueue
from django_agenda.models.strike import Strike
from django_agenda.models.unread import read_rows

from . import gates

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin


def sentence(
    admin: ActingAdmin,
    request: HttpRequest,
    execution: Execution,
    moment: datetime,
    *,
    payload: bool,
    paused: Sequence[str],
) -> str:
    """Return it; `paused` is what paused_queue() has said."""
    return (
        _struck(admin, request, execution)
        or _in_paused_queue(paused)
        or _sentence(execution, moment, payload=payload)
    )


def _struck(admin: ActingAdmin, request: HttpRequest, execution: Execution) -> str:
    """Say which strike holds it; what that compares with is for those who may see strikes."""
    if not execution.held_by.startswith(Strike.HELD_BY):
        return ""
    number = execution.held_by.removeprefix(Strike.HELD_BY)
    same = Strike.objects.filter(pk=number) if number.isdecimal() else Strike.objects.none()
    found = next(iter(read_rows(same, *Strike.PAYLOAD)), None)
    if found is None:
        return _("Held by a strike that was restored; a worker lets it go.")
    if not admin.can_see(request, Strike):
        return _("Held by a strike.")
    return _("Held by the strike: %(words)s.") % {"words": found.describe()}


def paused_queue(execution: Execution) -> list[str]:
    """Return its queue, if that is what it waits for."""
    if execution.status not in Execution.WAITING or execution.held_by:
        return []
    rows = PausedQueue.objects.filter(pk=execution.queue_name)
    return list(rows.values_list("name", flat=True))


def _in_paused_queue(paused: Sequence[str]) -> str:
    words = _("Held: queue %(name)s is paused.")
    return words % {"name": paused[0]} if paused else ""


def _sentence(execution: Execution, moment: datetime, *, payload: bool) -> str:
    if words := gates.sentence(execution, moment, payload=payload):
        return words
    if execution.held_by == Execution.UNKNOWN_TASK:
        return _("Waits for a worker that knows its task.")
    if execution.held_by:
        is_batch = execution.held_by == Execution.BATCH_PAUSED
        reason = _("its batch is paused") if is_batch else states.why_held(execution.held_by)
        return _("Held: %(reason)s.") % {"reason": reason}
    state = states.of_execution(execution, moment)
    when = wording.distance(execution.due_at, moment)
    sentences = {
        "scheduled": _("Due %(when)s."),
        "due": _("Was due %(when)s, and no worker has taken it yet."),
        "retrying": _("Its next attempt is due %(when)s."),
        "pending": _("The broker refused it; a worker enqueues it once the broker answers."),
        "running": _("Runs now."),
        "skipped": _("Another execution with its key was alive, so it was not needed."),
        "missed": _("No worker started it before it expired."),
    }
    return sentences.get(state.slug, "") % {"when": when}

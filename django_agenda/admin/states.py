"""What each state is called, and the icon and colour that go with it everywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import Model
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.strike import Strike
from django_agenda.models.worker import Worker

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class State(NamedTuple):
    """Hold how a state is shown: `slug` names its icon and its colour."""

    slug: str
    label: str | _StrPromise

    @property
    def icon(self) -> SafeString:
        """Return its icon; templates include `icons.html` once a page for the drawings."""
        return format_html(
            '<svg class="ag-icon ag-s-{0}" aria-hidden="true" focusable="false">'
            '<use href="#ag-i-{0}"/></svg>',
            self.slug,
        )

    @property
    def badge(self) -> SafeString:
        """Return its icon and its name on a tint of its colour."""
        return format_html(
            '<span class="ag-badge ag-s-{}">{}{}</span>', self.slug, self.icon, self.label
        )


# From the bottom of a stacked bar to its top: what went well, what waits, what did not go well.
OUTCOMES = {
    "succeeded": State("succeeded", _("succeeded")),
    "running": State("running", _("running")),
    "scheduled": State("scheduled", _("scheduled")),
    "skipped": State("skipped", _("skipped")),
    "cancelled": State("cancelled", _("cancelled")),
    "pending": State("pending", _("not enqueued")),
    "missed": State("missed", _("missed")),
    "failed": State("failed", _("failed")),
}
ENQUEUED = State("enqueued", _("enqueued"))
DUE = State("due", pgettext_lazy("of an execution", "due"))
HELD = State("paused", _("held"))
RETRYING = State("retrying", _("retrying"))
PARTLY_SCHEDULED = State("pending", _("partly scheduled"))
HAS_FAILURES = State("partly_failed", _("has failures"))

BATCHES = {
    "pending": State("scheduled", _("being enqueued")),
    "partly_scheduled": PARTLY_SCHEDULED,
    "scheduled": State("scheduled", _("scheduled")),
    "running": State("running", _("running")),
    "paused": State("paused", _("paused")),
    "succeeded": State("succeeded", _("succeeded")),
    "partly_failed": State("partly_failed", _("partly failed")),
    "failed": State("failed", _("failed")),
    "cancelled": State("cancelled", _("cancelled")),
}

WORKERS = {
    "active": State("succeeded", _("active")),
    "quiet": State("paused", pgettext_lazy("of a worker", "quiet")),
    "draining": State("running", _("draining")),
    "stopped": State("cancelled", _("stopped")),
    "lost": State("failed", _("lost")),
}
SILENT = State("missed", _("silent"))


def known_of(model: type[Model]) -> Mapping[str, State]:
    """Return the states of a model by its statuses."""
    if model is Worker:
        return WORKERS
    return BATCHES if model is Batch else OUTCOMES


_WHY_HELD = {
    Execution.PAUSED: _("paused"),
    Execution.BATCH_PAUSED: _("batch paused"),
    Execution.UNKNOWN_TASK: _("unknown task"),
    Execution.IN_TURN: _("previous run"),
    Execution.NO_SLOT: _("no free slot"),
}


def of_batch(batch: Batch) -> State:
    """Return the state of a batch."""
    return BATCHES[batch.status]


def flags_of(batch: Batch) -> list[State]:
    """Return what stays true of a batch beside its state: success later does not hide it."""
    flags = []
    if batch.pending and batch.status != Batch.Status.PARTLY_SCHEDULED:
        flags.append(PARTLY_SCHEDULED)
    ended_badly = (Batch.Status.FAILED, Batch.Status.PARTLY_FAILED)
    if (batch.failed or batch.missed) and batch.status not in ended_badly:
        flags.append(HAS_FAILURES)
    return flags


def why_held(held_by: str) -> str:
    """Return by what an execution is held, in words; nothing when it is not."""
    if held_by.startswith(Strike.HELD_BY):
        return gettext("strike %(number)s") % {"number": held_by.removeprefix(Strike.HELD_BY)}
    return str(_WHY_HELD.get(held_by, held_by))


def of_execution(execution: Execution, now: datetime, paused: Collection[str] = ()) -> State:
    """Return the state of an execution; `due`, `held` and `retrying` are kinds of scheduled.

    `paused` names the queues that are, as far as anybody has asked.
    """
    if execution.status != Execution.Status.SCHEDULED:
        return OUTCOMES[execution.status]
    if execution.held_by or (paused and execution.queue_name in paused):
        return HELD
    if execution.attempts:
        return RETRYING
    return DUE if execution.due_at <= now else OUTCOMES["scheduled"]

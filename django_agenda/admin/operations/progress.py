"""How far an operation has come: its state, its numbers and its bar."""

from __future__ import annotations

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from django_agenda.admin import charts, wording
from django_agenda.admin.actions.carry import action_of
from django_agenda.admin.actions.large import title_of
from django_agenda.admin.states import State
from django_agenda.models.operation import Operation

STATES = {
    "waiting": State("scheduled", pgettext_lazy("of an operation", "waiting")),
    "running": State("running", gettext_lazy("running")),
    "finished": State("succeeded", pgettext_lazy("of an operation", "finished")),
    "aborted": State("cancelled", gettext_lazy("aborted")),
}
_ABORTS = State("missed", gettext_lazy("aborts"))
_HAS_FAILED = State("partly_failed", pgettext_lazy("of an operation", "finished, partly refused"))


# Also when nothing fitted any more: what has changed nothing is no success.
_NOTHING_DONE = State("missed", pgettext_lazy("of an operation", "finished, nothing was done"))
_ALL_REFUSED = State("failed", pgettext_lazy("of an operation", "finished, all were refused"))


def state_of(operation: Operation) -> State:
    """Return the state of an operation."""
    if operation.is_open and operation.abort_requested_at:
        return _ABORTS
    if operation.status == Operation.Status.FINISHED:
        if operation.total and not operation.done:
            return _ALL_REFUSED if operation.failed else _NOTHING_DONE
        if operation.failed:
            return _HAS_FAILED
    return STATES[operation.status]


def name_of(operation: Operation) -> str:
    """Return what an operation does, with its number of targets."""
    action = action_of(operation)
    return operation.kind if action is None else title_of(action, operation.total)


def progress_bar(row: Operation) -> SafeString:
    """Return the drawing of its numbers."""
    counts = {"succeeded": row.done, "skipped": row.skipped, "failed": row.failed}
    return charts.bar(counts, row.total, sentence_of(row))


def numbers_of(row: Operation) -> list[tuple[str, str]]:
    """Return how many targets became what, and how many are left."""
    found = [
        (_("done"), row.done),
        (_("skipped"), row.skipped),
        (_("refused"), row.failed),
        (_("left"), max(row.total - row.done - row.skipped - row.failed, 0)),
    ]
    return [(name, wording.count(count)) for name, count in found]


def sentence_of(row: Operation) -> str:
    """Say with numbers how far it has come."""
    parts = [f"{count} {name}" for name, count in numbers_of(row) if count != "0"]
    return _("%(what)s of %(total)s") % {
        "what": ", ".join(parts) or "0",
        "total": wording.count(row.total),
    }

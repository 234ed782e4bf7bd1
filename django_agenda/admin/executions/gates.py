"""Say which policy of its task an execution waits for, or was skipped by."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from django_agenda.admin import wording
from django_agenda.models.execution import Execution
from django_agenda.models.gate import Gate


def sentence(execution: Execution, moment: datetime, *, payload: bool) -> str:
    """Return one sentence; an empty text when no policy holds it up.

    Without `payload` no value of an argument is named.
    """
    if execution.held_by == Execution.NO_SLOT:
        label = _label(execution.gate, payload=payload)
        if label:
            return _("Waits for a slot of %(gate)s.") % {"gate": label}
        return _("Waits for a slot: as many of its task run as may.")
    if execution.status == Execution.Status.SKIPPED and execution.error_message:
        return _("Skipped by a policy of its task.")
    is_ahead = execution.status == Execution.Status.SCHEDULED and execution.due_at > moment
    if execution.moved_by is None or execution.held_by or execution.attempts or not is_ahead:
        return ""
    kind = Gate.objects.filter(pk=execution.moved_by).values_list("kind", flat=True).first()
    words = {
        Gate.Kind.RATE: _("Moved to %(when)s by its rate."),
        Gate.Kind.DEBOUNCE: _("Waits until %(when)s whether others come, by its debounce."),
    }
    rest = {
        Gate.Kind.RATE: _("Moved to %(when)s by its rate of %(gate)s."),
        Gate.Kind.DEBOUNCE: _(
            "Waits until %(when)s whether others of %(gate)s come, by its debounce."
        ),
    }
    label = _label(execution.moved_by, payload=payload)
    when = wording.clock_time(execution.due_at, moment)
    found = rest if label else words
    return found[Gate.Kind(kind)] % {"when": when, "gate": label} if kind in found else ""


def _label(gate: UUID | None, *, payload: bool) -> str:
    if gate is None or not payload:
        return ""
    return Gate.objects.filter(pk=gate).values_list("label", flat=True).first() or ""

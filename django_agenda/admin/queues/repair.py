"""Look whether Redis, rows and counts agree, and make them agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.db import router
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import override

from django_agenda.admin import wording
from django_agenda.admin.actions.forms import Wish
from django_agenda.admin.actions.history import write_down_one
from django_agenda.admin.actions.offer import confirm
from django_agenda.models.execution import Execution
from django_agenda.scheduling.repair import Report, reconcile

if TYPE_CHECKING:
    from .view import QueueAdmin


def ask_for_repair(admin: QueueAdmin, request: HttpRequest) -> HttpResponse:
    """Count everything that differs, or repair it when that page was sent.

    Raises BrokerUnavailable; what was put right until then stays so.
    """
    using = router.db_for_write(Execution)
    form = Wish(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        report = reconcile(using)
        said = _said(report)
        with override(None):
            write_down_one(request, "", " ".join([_said(report), *form.reasons()]))
        level = messages.WARNING if report.is_clean else messages.SUCCESS
        admin.message_user(request, said, level)
        return HttpResponseRedirect(admin.page_url())
    report = reconcile(using, repair=False)
    numbers = [(name, wording.count(count)) for name, count in _counts(report)]
    return confirm(
        admin,
        request,
        _("Repair what differs"),
        form,
        effect=_(
            "Redis is told of what it lacks and rid of what nobody waits for, what has expired is"
            " missed, and the counts of batches become those of their rows. Workers go on"
            " meanwhile."
        ),
        seen=sum(count for _name, count in _counts(report)),
        numbers=numbers,
        has_work=not report.is_clean,
        all_well=_("Redis, rows and counts agree: there is nothing to repair."),
        back=admin.page_url(),
    )


def _counts(report: Report) -> list[tuple[str, int]]:
    return [
        (_("executions that Redis lacks"), report.missing),
        (_("ids in Redis that no row waits for"), report.strangers),
        (_("batches that Redis was not wholly told of"), report.never_told),
        (_("executions that Redis had refused"), report.refused),
        (_("executions that have expired"), report.expired),
        (_("batches whose counts differ from their rows"), len(report.drifts)),
    ]


def _said(report: Report) -> str:
    if report.is_clean:
        return _("Nothing was changed: everything agreed.")
    parts = [f"{wording.count(count)} {name}" for name, count in _counts(report) if count]
    return _("Repaired: %(what)s.") % {"what": ", ".join(parts)}

"""The page on which a schedule is made or changed: look at its next runs first, then save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from django_agenda.admin.actions.history import write_down
from django_agenda.clock import now
from django_agenda.models.schedule import Schedule
from django_agenda.scheduling.define import find_or_write
from django_agenda.scheduling.definition import Definition
from django_agenda.scheduling.redefine import redefine

from .form import ScheduleForm
from .page import next_ticks

if TYPE_CHECKING:
    from .view import ScheduleAdmin

TEMPLATE = "admin/django_agenda/schedule/form.html"


def edit(
    admin: ScheduleAdmin,
    request: HttpRequest,
    schedule: Schedule | None,
    like: Schedule | None = None,
) -> HttpResponse:
    """Show the form, a preview, or the errors; save what is right, and go to its page.

    Without a schedule a new one is made, which may begin as one `like` another.
    """
    is_sent = request.method == "POST"
    known = schedule or like
    form = ScheduleForm(request.POST if is_sent else None, known)
    if like is not None:
        form.initial["name"] = _("%(name)s, another") % {"name": like}
    times: list[Any] = []
    if is_sent and form.is_valid() and form.definition is not None:
        definition = form.definition
        if "save" in request.POST:
            try:
                saved = _save(request, schedule, definition)
            except ValueError as error:
                form.add_error(None, str(error))
            else:
                return HttpResponseRedirect(admin.url_of(saved))
        else:
            times = next_ticks(_unsaved(definition), now())
    title = _("Change %(name)s") % {"name": schedule} if schedule else _("Add a schedule")
    context = {
        **admin.frame(request, schedule or title),
        "title": title,
        "original": schedule or title,
        "form": form,
        "times": times,
        "back": admin.list_url(Schedule) if known is None else admin.url_of(known),
    }
    return TemplateResponse(request, TEMPLATE, context)


def _save(request: HttpRequest, schedule: Schedule | None, definition: Definition) -> Schedule:
    if schedule is not None:
        redefine(schedule, definition)
        write_down(request, [schedule], "Changed.")
        messages.success(request, _("The schedule was changed."))
        return schedule
    saved, is_new = find_or_write(Schedule.objects.db, definition)
    if is_new:
        user_id: Any = request.user.pk
        LogEntry.objects.log_actions(user_id, [saved], ADDITION, "Added.")
        messages.success(request, _("The schedule was added."))
    else:
        messages.warning(request, _("There is one that says the same already: this one."))
    return saved


def _unsaved(definition: Definition) -> Schedule:
    return Schedule(**definition.identity, **definition.options)

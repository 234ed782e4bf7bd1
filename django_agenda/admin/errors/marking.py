"""The page that asks before a kind of error is marked, and what happens when it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import override

from django_agenda.admin import wording
from django_agenda.admin.actions.forms import Wish
from django_agenda.admin.actions.history import write_down
from django_agenda.admin.execution_table import shown_message
from django_agenda.clock import now
from django_agenda.models.error_group import ErrorGroup

from .groups import Group, read_groups
from .marks import Mark

if TYPE_CHECKING:
    from .view import ErrorGroupAdmin

_TEMPLATE = "admin/django_agenda/errors/mark.html"


def ask_mark(
    admin: ErrorGroupAdmin, request: HttpRequest, fingerprint: str, mark: Mark
) -> HttpResponse | None:
    """Show what would be marked, or return None when there is no such error; change nothing."""
    group = _find(admin, request, fingerprint)
    return None if group is None else _page(admin, request, group, mark, Wish())


def answer_mark(
    admin: ErrorGroupAdmin, request: HttpRequest, fingerprint: str, mark: Mark
) -> HttpResponse | None:
    """Mark it, write that down, and go back with a message; see ask_mark()."""
    group = _find(admin, request, fingerprint)
    if group is None:
        return None
    form = Wish(request.POST)
    if not form.is_valid():
        return _page(admin, request, group, mark, form)
    reason = form.cleaned_data["reason"]
    done = ErrorGroup.mark(
        fingerprint, mark.state, last=group.last, by=request.user.get_username(), note=reason
    )
    if done is None:
        admin.message_user(request, _("Nothing was changed: so it is already."), messages.WARNING)
    else:
        with override(None):
            words = f"{mark.done} Reason: {reason}" if reason else str(mark.done)
            write_down(request, [done], words)
        admin.message_user(request, str(mark.done), messages.SUCCESS)
    return HttpResponseRedirect(admin.list_url(ErrorGroup))


def _find(admin: ErrorGroupAdmin, request: HttpRequest, fingerprint: str) -> Group | None:
    found = read_groups(admin.executions(request), now(), only=fingerprint)
    return found.groups[0] if found.groups else None


def _page(
    admin: ErrorGroupAdmin, request: HttpRequest, group: Group, mark: Mark, form: Wish
) -> HttpResponse:
    sample = group.sample
    shown = {
        **admin.frame(request, str(mark.ask)),
        "mark": mark,
        "group": group,
        "count": wording.count(group.week),
        "name": wording.short_task(sample.error_class),
        "message": shown_message(sample, payload=False),
        "has_work": group.state != mark.state,
        "form": form,
        "back": admin.list_url(ErrorGroup),
    }
    return TemplateResponse(request, _TEMPLATE, shown)

"""Ask before a kind of error is marked, and mark it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import override

from django_agenda.admin import wording
from django_agenda.admin.actions.history import write_down
from django_agenda.admin.actions.offer import confirm
from django_agenda.admin.execution_table import shown_message
from django_agenda.models.error_group import ErrorGroup

from .groups import Group
from .marks import Mark

if TYPE_CHECKING:
    from .view import ErrorGroupAdmin


def mark(admin: ErrorGroupAdmin, request: HttpRequest, group: Group, offer: Mark) -> HttpResponse:
    """Show what would be marked, or mark it, write that down, and go back with a message."""
    form = offer.form(request.POST if request.method == "POST" else None)
    back = admin.list_url(ErrorGroup)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        done = ErrorGroup.mark(
            group.fingerprint,
            offer.state,
            last=group.last,
            by=request.user.get_username(),
            note=reason,
        )
        if done is None:
            words = _("Nothing was changed: so it is already.")
            admin.message_user(request, words, messages.WARNING)
        else:
            with override(None):
                write_down(request, [done], " ".join([str(offer.done), *form.reasons()]))
            admin.message_user(request, str(offer.done), messages.SUCCESS)
        return HttpResponseRedirect(back)
    sample = group.sample
    return confirm(
        admin,
        request,
        str(offer.ask),
        form,
        effect=offer.effect,
        sample={
            "name": wording.short_task(sample.error_class),
            "message": shown_message(sample, payload=False),
        },
        numbers=[(_("executions in the last 7 days"), wording.count(group.week))],
        seen=group.week,
        has_work=group.state != offer.state,
        all_well=_("There is nothing to do: so it is already."),
        back=back,
    )

"""The page that asks before an action, and what happens when it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import override

from django_agenda.admin import wording
from django_agenda.admin.execution_table import shown_message

from .action import in_numbers
from .errand import Errand
from .forms import Wish
from .history import write_down
from .large import begin, is_large
from .offer import confirm
from .overdue import flood_words, overdue_in, pace_of

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin

_DIGITS = 9


def ask(
    admin: ActingAdmin, request: HttpRequest, errand: Errand, context: dict[str, Any]
) -> HttpResponse:
    """Show what would be done; nothing is changed. `context` has `back` and `hidden` fields."""
    return _page(admin, request, errand, errand.action.form(), context)


def answer(
    admin: ActingAdmin, request: HttpRequest, errand: Errand, context: dict[str, Any]
) -> HttpResponse:
    """Do it, write it down, and go back with a message; ask again when the form is not right."""
    form = errand.action.form(request.POST)
    if not form.is_valid():
        return _page(admin, request, errand, form, context)
    before = errand.survey()
    try:
        if is_large(errand, before):
            return begin(admin, request, errand, form, before)
        found = errand.carry_out(form.wish, _seen(request), before)
    except ValueError as error:
        form.add_error(None, str(error))
        return _page(admin, request, errand, form, context)
    if found.is_done:
        with override(None):
            write_down(request, found.subjects, found.words, *_reasons(errand, form))
    level = messages.SUCCESS if found.is_whole else messages.WARNING
    admin.message_user(request, found.words, level)
    is_gone = found.is_done and errand.action.is_end
    return HttpResponseRedirect(admin.list_url(found.model) if is_gone else context["back"])


def _page(
    admin: ActingAdmin, request: HttpRequest, errand: Errand, form: Wish, context: dict[str, Any]
) -> HttpResponse:
    survey = errand.survey()
    has_work = survey.count or (errand.action.changes_batch and survey.subjects)
    words = in_numbers(errand.action.ask, survey.count, wording.count(survey.count))
    words = words if has_work else str(errand.action.label)
    overdue = overdue_in(errand) if errand.action.lets_go else 0
    return confirm(
        admin,
        request,
        words,
        form,
        numbers=[(_("of them due"), wording.count(overdue))] if errand.action.lets_go else [],
        hint=flood_words(overdue, pace_of(errand, overdue)),
        of=errand.row,
        row=errand.row or errand.about,
        effect=errand.action.effect,
        seen=survey.count,
        has_work=has_work,
        shares=[(state, wording.count(many)) for state, many in survey.shares],
        skipped=[(state, wording.count(many)) for state, many in survey.skipped],
        sample=_sample(errand),
        is_large=is_large(errand, survey),
        **context,
    )


def _sample(errand: Errand) -> dict[str, str] | None:
    """Return one of those that met the error, without its particulars."""
    sample = errand.within_reach.first() if errand.error else None
    if sample is None:
        return None
    name = wording.short_task(sample.error_class)
    return {"name": name, "message": shown_message(sample, payload=False)}


def _seen(request: HttpRequest) -> int:
    """Return how many the page had shown; what is no such number counts for nothing."""
    seen = request.POST.get("seen", "")
    return int(seen) if seen.isascii() and seen.isdigit() and len(seen) <= _DIGITS else 0


def _reasons(errand: Errand, form: Wish) -> list[str]:
    return form.reasons(*([f"error {errand.error}"] if errand.error else []))

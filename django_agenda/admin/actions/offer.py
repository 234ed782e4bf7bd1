"""What is offered and asks first: the words of it, and the page that asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from .forms import Wish

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from django_agenda.admin.read_only import ReadOnlyAdmin

TEMPLATE = "admin/django_agenda/confirm.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Hold what somebody may ask for: `right` is the middle of `has_..._permission`.

    `ask` is the title and the button of the page that asks, `effect` what that page explains, and
    `done` is told afterwards.
    """

    slug: str
    right: str
    label: _StrPromise
    ask: _StrPromise
    done: _StrPromise
    effect: _StrPromise
    form: type[Wish] = Wish


def confirm(
    admin: ReadOnlyAdmin,
    request: HttpRequest,
    words: str,
    form: forms.Form,
    *,
    of: Any = None,
    **shown: Any,
) -> HttpResponse:
    """Show the page that asks before anything is changed: `words` is its title and its button.

    It needs `effect`, `has_work` and `back` as well; `seen` is how many are concerned. `of` is what
    the page is about, when it is a row.
    """
    context = {**admin.frame(request, of or words), "title": words, "words": words, "form": form}
    return TemplateResponse(request, TEMPLATE, {**context, "seen": 0, **shown})

"""Links to the actions that a row can have, for those who may."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db.models import BooleanField, ExpressionWrapper, Model
from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_agenda.admin import wording

from .action import Action, in_numbers
from .offer import Offer

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """Hold one link to the page that asks."""

    label: str
    url: str
    is_repair: bool = False


def button(
    admin: ActingAdmin, row: Model, action: Action, *, count: int = 0, **narrowed: str
) -> Button:
    """Return a button; with a count it says how many: as many as the page that asks will count.

    `narrowed` is written into the address, for the page to heed.
    """
    words = in_numbers(action.ask, count, wording.count(count)) if count else str(action.label)
    query = f"?{urlencode(narrowed)}" if narrowed else ""
    return Button(
        label=_("%(action)s …") % {"action": words},
        url=admin.action_url(row, action) + query,
        is_repair=action.is_repair,
    )


def ask_button(admin: ActingAdmin, row: Model, offer: Offer, label: str = "") -> Button:
    """Return a button that names what it offers, by its label or by a more exact one."""
    words = _("%(action)s …") % {"action": label or offer.label}
    return Button(label=words, url=admin.action_url(row, offer))


def fitting(
    admin: ActingAdmin, request: HttpRequest, row: Model, actions: Iterable[Action]
) -> list[Action]:
    """Return those of the actions that this user may, and that fit the row: one statement."""
    allowed = [action for action in actions if admin.may(request, action)]
    if not allowed:
        return []
    fits = {
        f"fits_{place}": ExpressionWrapper(action.fits(), output_field=BooleanField())
        for place, action in enumerate(allowed)
    }
    rows = type(row)._default_manager.filter(pk=row.pk).annotate(**fits)
    found = rows.values_list(*fits).first() or ()
    return [action for action, is_fit in zip(allowed, found, strict=False) if is_fit]

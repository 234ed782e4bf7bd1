"""The form of a strike: what it holds, with every error at its field."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django import forms
from django.utils.translation import gettext_lazy as _

from django_agenda.admin.actions.forms import Wish
from django_agenda.exceptions import UnknownTask
from django_agenda.models.strike import Strike
from django_agenda.policies.condition import OPERATORS
from django_agenda.scheduling.strike import count_matching, find_or_strike
from django_agenda.tasks.payload import decode
from django_agenda.tasks.registry import registered

R = TypeVar("R")

_QUOTED = re.compile(r"'(\w+)'")


class EmptyWish(forms.Form):
    """Ask for nothing more: what was filled in is sent along."""


class StrikeForm(Wish):
    """Ask for a task, a condition, and why."""

    task = forms.CharField(
        label=_("Task"),
        max_length=255,
        required=False,
        help_text=_("Its dotted path: shop.tasks.send_report. Empty: any task with the parameter."),
        widget=forms.TextInput(attrs={"list": "ag-tasks"}),
    )
    parameter = forms.CharField(
        label=_("Parameter"),
        max_length=255,
        required=False,
        help_text=_("The name of an argument. Empty: every call of the task."),
    )
    operator = forms.ChoiceField(
        label=_("Operator"), choices=[(one, one) for one in OPERATORS], required=False
    )
    value = forms.CharField(
        label=_("Value"),
        max_length=10_000,
        required=False,
        help_text=_('JSON: 7, or "text", or [1, 5] for between.'),
    )
    field_order = ("task", "parameter", "operator", "value", "reason")

    @property
    def tasks(self) -> list[str]:
        """Return the names that the field of the task offers."""
        return sorted(registered())

    def clean_value(self) -> Any:
        """Read a value; nothing is null."""
        text = self.cleaned_data["value"].strip()
        try:
            return decode(text) if text else None
        except ValueError as error:
            words = _(
                'This is no JSON. Write 7, or "text" in double quotes, or [1, 5] for between.'
            )
            raise forms.ValidationError(words) from error

    def save(self, by: str) -> tuple[Strike, bool] | None:
        """Strike, and tell whether it is new; None when that was refused, which is shown."""
        reason = self.cleaned_data["reason"]
        return self._try(partial(find_or_strike, reason=reason, by=by))

    def preview(self) -> tuple[int, bool] | None:
        """Count what would be held, and tell whether that is all; None when it was refused."""
        return self._try(count_matching)

    def _try(self, act: Callable[..., tuple[R, bool]]) -> tuple[R, bool] | None:
        given = self.cleaned_data
        try:
            return act(
                given["task"].strip() or None,
                given["parameter"].strip() or None,
                given["operator"] or "==",
                given["value"],
            )
        except UnknownTask as error:
            self.add_error("task", str(error))
        except (TypeError, ValueError) as error:
            named = _QUOTED.match(str(error))
            field = named[1] if named and named[1] in self.fields else None
            self.add_error(field, str(error))
        return None

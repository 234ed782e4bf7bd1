"""What is asked for before an action is carried out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_agenda.conf import LONGEST

# Outside of these some clocks or databases cannot say what others can.
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
UNITS = (
    ("seconds", _("seconds")),
    ("minutes", _("minutes")),
    ("hours", _("hours")),
    ("days", _("days")),
)


class Wish(forms.Form):
    """Ask why."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 60}),
        help_text=_("Optional; it is written into the history."),
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="ag-%s", label_suffix="")

    @property
    def wish(self) -> dict[str, Any]:
        """Return what was filled in, as the verbs want it."""
        return self.cleaned_data

    def details(self) -> list[str]:
        """Say what was chosen, without the reason."""
        return []

    def reasons(self, *more: str) -> list[str]:
        """Say what was chosen and why, as parts of an entry in the log."""
        details, reason = [*self.details(), *more], self.cleaned_data["reason"]
        parts = [f"({', '.join(details)})"] if details else []
        return [*parts, f"Reason: {reason}"] if reason else parts


class SpanWish(Wish):
    """Ask for a length of time as well: `over`, or None when it was left empty."""

    amount = forms.DecimalField(
        label=_("Spread evenly over"),
        min_value=0,
        max_digits=12,
        decimal_places=3,
        required=False,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        help_text=_("Empty: all at once."),
    )
    unit = forms.ChoiceField(label=_("Unit"), choices=UNITS, initial="minutes", required=False)
    field_order: tuple[str, ...] = ("amount", "unit", "reason")

    def clean(self) -> dict[str, Any]:
        """Put both parts together."""
        wish = super().clean() or self.cleaned_data
        amount = wish.get("amount")
        wish["over"] = None
        if amount is None:
            return wish
        if not amount:
            self.add_error("amount", _("This must be more than nothing."))
        # Nine digits of days are the longest timedelta that there is.
        over = timedelta(**{wish.get("unit") or "minutes": float(amount)})
        if over > LONGEST:
            self.add_error("amount", _("This is too long."))
        else:
            wish["over"] = over
        return wish

    def details(self) -> list[str]:
        """Say what was chosen: "Move them: later", "By: 5 minutes"."""
        wish = self.cleaned_data
        found = []
        for name in ("which", "how", "at", "start"):
            if value := wish.get(name):
                choices = dict(getattr(self.fields[name], "choices", ()))
                found.append(f"{self.fields[name].label}: {choices.get(value, value)}")
        if wish["over"] is not None:
            amount = f"{wish['amount'].normalize():f} {wish.get('unit') or 'minutes'}"
            found.append(f"{self.fields['amount'].label}: {amount}")
        return found


class EnqueueWish(SpanWish):
    """Ask what becomes of the moments of what the broker did not take."""

    which = forms.ChoiceField(
        label=_("New moments"),
        choices=(
            ("overdue", _("for those that are overdue; the others keep theirs")),
            ("all", _("for all of them")),
        ),
        initial="overdue",
        widget=forms.RadioSelect,
    )
    field_order = ("which", "amount", "unit", "reason")


class MomentInput(forms.DateTimeInput):
    """Ask for a moment on the clock of the current time zone."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"step": 1}, format="%Y-%m-%dT%H:%M:%S")


class MomentField(forms.DateTimeField):
    """Ask for a moment that every clock can show."""

    def clean(self, value: Any) -> Any:
        """Return an aware datetime, or None for nothing."""
        found: datetime | None = super().clean(value)
        if found is not None and not _FIRST_YEAR <= found.year <= _LAST_YEAR:
            raise forms.ValidationError(_("This is too far from now."))
        return found


class RespreadWish(SpanWish):
    """Ask for a new window."""

    start = MomentField(label=_("From"), required=False, widget=MomentInput)
    field_order = ("start", "amount", "unit", "reason")

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.fields["amount"].required = True
        self.fields["amount"].help_text = ""
        self.fields["start"].help_text = _("Empty: from now. Time zone: %(zone)s.") % _zone()


class ShiftWish(SpanWish):
    """Ask by how much the moments move, and keep their distances."""

    how = forms.ChoiceField(
        label=_("Move them"),
        choices=(("later", _("later")), ("earlier", _("earlier"))),
        initial="later",
        widget=forms.RadioSelect,
    )
    field_order = ("how", "amount", "unit", "reason")

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.fields["amount"].label = _("By")
        self.fields["amount"].help_text = ""
        self.fields["amount"].required = True

    @property
    def wish(self) -> dict[str, Any]:
        """Return the argument of reschedule()."""
        over = self.cleaned_data["over"]
        return {"by": -over if self.cleaned_data["how"] == "earlier" else over}


class MomentWish(SpanWish):
    """Ask for another moment, in one of four ways."""

    how = forms.ChoiceField(
        label=_("New moments"),
        choices=(
            ("at", _("at this moment")),
            ("later", _("later by")),
            ("earlier", _("earlier by")),
            ("over", _("spread evenly from now, over")),
        ),
        initial="at",
        widget=forms.RadioSelect,
    )
    at = MomentField(label=_("Moment"), required=False, widget=MomentInput)
    field_order = ("how", "at", "amount", "unit", "reason")

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.fields["amount"].label = _("Duration")
        self.fields["amount"].help_text = ""
        self.fields["at"].help_text = _("Time zone: %(zone)s.") % _zone()

    def clean(self) -> dict[str, Any]:
        """Ask for what the chosen way needs."""
        wish = super().clean()
        needed = "at" if wish.get("how") == "at" else "amount"
        if wish.get(needed) is None and needed not in self.errors:
            self.add_error(needed, _("This is needed for what is chosen above."))
        return wish

    @property
    def wish(self) -> dict[str, Any]:
        """Return the argument of reschedule()."""
        how, over = self.cleaned_data["how"], self.cleaned_data["over"]
        if how == "at":
            return {"at": self.cleaned_data["at"]}
        return {"over": over} if how == "over" else {"by": -over if how == "earlier" else over}


def _zone() -> dict[str, str]:
    return {"zone": timezone.get_current_timezone_name()}

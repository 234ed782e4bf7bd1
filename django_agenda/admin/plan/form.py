"""What a new batch is made of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_agenda.admin.actions.forms import UNITS, MomentField, MomentInput
from django_agenda.models.batch import Batch
from django_agenda.tasks.call import MAX_KEY, Call, labels_text
from django_agenda.tasks.registry import registered
from django_agenda.tasks.task import Task

from .lines import MOST_CALLS, read_count, read_lines
from .sources import Source, read_source, sources

_MOST_LETTERS = 1_000_000
_STRATEGIES = (
    ("even", _("even: equal distances")),
    ("random", _("random: each anywhere")),
    ("poisson", _("poisson: as people come")),
    ("ramp", _("ramp: ever more often")),
)


class PlanForm(forms.Form):
    """Ask for a task, its calls and their window; once it is valid it has `calls`."""

    source = forms.ChoiceField(
        label=_("Calls from"),
        required=False,
        help_text=_("Instead of a task and its calls."),
    )
    task = forms.CharField(
        label=_("Task"),
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"list": "ag-tasks", "autocomplete": "off"}),
    )
    lines = forms.CharField(
        label=_("Calls"),
        required=False,
        max_length=_MOST_LETTERS,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=_('One a line, as JSON: [42, "monthly"] or {"customer": 42}.'),
    )
    count = forms.IntegerField(
        label=_("or so many without arguments"),
        required=False,
        min_value=1,
        max_value=MOST_CALLS,
    )
    amount = forms.DecimalField(
        label=_("Spread over"),
        min_value=0,
        max_digits=12,
        decimal_places=3,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    unit = forms.ChoiceField(label=_("Unit"), choices=UNITS, initial="minutes")
    start = MomentField(label=_("From"), required=False, widget=MomentInput)
    strategy = forms.ChoiceField(label=_("Strategy"), choices=_STRATEGIES, initial="even")
    jitter = forms.DecimalField(
        label=_("Jitter, in seconds"),
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=3,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
        help_text=_("Empty: none."),
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        required=False,
        min_value=-(2**63),
        max_value=2**63 - 1,
        help_text=_("Empty: any; the same seed gives the same moments."),
    )
    name = forms.CharField(label=_("Name"), required=False, max_length=255)
    key = forms.CharField(
        label=_("Key"),
        required=False,
        max_length=MAX_KEY,
        help_text=_("Only one living batch has it."),
    )
    labels = forms.CharField(
        label=_("Labels"), required=False, max_length=1000, help_text=_("With commas between.")
    )

    def __init__(self, request: HttpRequest, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="ag-%s", label_suffix="")
        self._request, self._sources = request, sources()
        choices: Any = self.fields["source"]
        choices.choices = [("", "–"), *((name, one.label) for name, one in self._sources.items())]
        if not self._sources:
            del self.fields["source"]
        zone = timezone.get_current_timezone_name()
        self.fields["start"].help_text = _("Empty: from now. Time zone: %(zone)s.") % {"zone": zone}

    def clean_task(self) -> Task[..., Any]:
        """Take only what is registered: other names may be functions that are no tasks."""
        name = self.cleaned_data["task"]
        source = self._sources.get(self.cleaned_data.get("source", ""))
        if source is not None:
            if name not in ("", source.task.name):
                raise ValidationError(_("The calls that are chosen above are of another task."))
            return source.task
        if not name:
            raise ValidationError(self.fields["name"].error_messages["required"], code="required")
        found = registered().get(name)
        if found is None:
            raise ValidationError(_("No task is registered as %(name)s.") % {"name": name[:100]})
        return found

    def clean_labels(self) -> list[str]:
        """Take them apart."""
        labels = [word.strip() for word in self.cleaned_data["labels"].split(",") if word.strip()]
        try:
            labels_text(labels)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return labels

    def clean_key(self) -> str | None:
        """Refuse a key that a living batch has: nothing would be added to that."""
        key = self.cleaned_data["key"] or None
        if key and Batch.objects.filter(live_key=key).exists():
            raise ValidationError(_("A living batch has this key."))
        return key

    def clean(self) -> dict[str, Any]:
        """Put the parts together."""
        found = super().clean() or self.cleaned_data
        self._read_window(found)
        if "task" in found and not {"lines", "count"} & self.errors.keys():
            self._read_calls(found)
        return found

    @property
    def first_fields(self) -> list[forms.BoundField]:
        """Return the fields of the calls and of their window."""
        names = ("source", "task", "lines", "count", "amount", "unit")
        return [self[name] for name in names if name in self.fields]

    @property
    def other_fields(self) -> list[forms.BoundField]:
        """Return what is often left as it is."""
        known = {field.name for field in self.first_fields}
        return [self[name] for name in self.fields if name not in known]

    @property
    def calls(self) -> list[Call]:
        """Return what is to be called."""
        calls: list[Call] = self.cleaned_data["calls"]
        return calls

    def _read_window(self, found: dict[str, Any]) -> None:
        jitter = found.get("jitter")
        found["jitter"] = timedelta(seconds=float(jitter)) if jitter else None
        amount, unit = found.get("amount"), found.get("unit")
        if amount is None or unit is None:
            return
        # Nine digits of days are the longest timedelta that there is.
        found["over"] = timedelta(**{unit: float(amount)})
        if not found["over"]:
            self.add_error("amount", _("This must be more than nothing."))
        elif found["jitter"] and found["jitter"] > found["over"]:
            self.add_error("jitter", _("This is longer than the window."))

    def _read_calls(self, found: dict[str, Any]) -> None:
        lines, count = found.get("lines", ""), found.get("count")
        source = self._sources.get(found.get("source", ""))
        if source is not None:
            self._read_source(found, source, is_alone=not lines and not count)
            return
        if bool(lines) == bool(count):
            words = _("Give one of the two: calls, or how many.")
            self.add_error("lines", words)
            return
        try:
            if count:
                found["calls"] = read_count(found["task"], count)
            else:
                found["calls"] = read_lines(found["task"], lines)
        except ValidationError as error:
            self.add_error("count" if count else "lines", error)

    def _read_source(self, found: dict[str, Any], source: Source, *, is_alone: bool) -> None:
        if not is_alone:
            self.add_error("lines", _("The calls come from what is chosen above."))
            return
        try:
            found["calls"] = read_source(source, self._request)
        except ValidationError as error:
            self.add_error("source", error)

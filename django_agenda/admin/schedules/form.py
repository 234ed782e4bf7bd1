"""The form of a schedule: every error at its field, and nothing saved before all is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_agenda.admin import redaction
from django_agenda.admin.actions.forms import MomentField
from django_agenda.exceptions import UnknownTask
from django_agenda.models.schedule import Schedule
from django_agenda.scheduling.definition import Definition, read_definition
from django_agenda.tasks.payload import decode
from django_agenda.tasks.registry import registered, resolve
from django_agenda.timing.cron import Cron

_QUOTED = re.compile(r"'(\w+)'(?:: )?")
_LENGTHS = ("interval", "jitter", "over", "timeout")
_COLUMNS = (
    *("name", "description", "expression", "timezone", "kind", "starts_at", "ends_at", "max_runs"),
    *("overlap", "misfire", "catch_up", "queue_name", "priority", "max_attempts", "enabled"),
)

_GROUPS = (
    (_("What runs"), ("name", "description", "labels", "task", "args", "kwargs")),
    (_("By which kind of rule"), ("kind",)),
    (_("cron"), ("expression", "timezone")),
    (_("interval"), ("interval",)),
    (_("once"), ("at",)),
    (_("Within which bounds"), ("starts_at", "ends_at", "max_runs", "jitter")),
    (_("If a run comes too early or too late"), ("overlap", "misfire", "catch_up")),
    (
        _("How each run is carried out"),
        ("queue_name", "priority", "max_attempts", "timeout", "over", "enabled"),
    ),
)
_NEEDED = {
    Schedule.Kind.CRON.value: "expression",
    Schedule.Kind.INTERVAL.value: "interval",
    Schedule.Kind.ONCE.value: "at",
}


class _Moment(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"step": 1}, format="%Y-%m-%dT%H:%M:%S")


class _Seconds(forms.FloatField):
    """Ask for a length of time in seconds."""

    def clean(self, value: Any) -> Any:
        """Return a timedelta, or None for nothing."""
        seconds = super().clean(value)
        try:
            return None if seconds is None else timedelta(seconds=seconds)
        except (OverflowError, ValueError) as error:
            raise forms.ValidationError(_("This is too long.")) from error


class ScheduleForm(forms.Form):
    """Ask for everything that a schedule is made of.

    With a schedule it begins with what that one says, to change it or to make another one like it.
    """

    name = forms.CharField(label=_("Name"), max_length=255, required=False)
    description = forms.CharField(label=_("Description"), max_length=10_000, required=False)
    labels = forms.CharField(
        label=_("Labels"), required=False, help_text=_("Words, with commas between them.")
    )
    task = forms.CharField(
        label=_("Task"), max_length=255, help_text=_("Its dotted path: shop.tasks.send_report")
    )
    args = forms.CharField(label=_("Arguments"), required=False)
    kwargs = forms.CharField(label=_("Keyword arguments"), required=False)
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=Schedule.Kind.choices,
        help_text=_("Of the three groups below only that of this kind is used."),
    )
    expression = forms.CharField(
        label=_("Cron expression"),
        max_length=255,
        required=False,
        help_text=_("Minute, hour, day, month, weekday: “0 9 * * 1-5” is 09:00 on weekdays."),
    )
    timezone = forms.ChoiceField(
        label=_("Time zone"), choices=lambda: [(key, key) for key in sorted(available_timezones())]
    )
    interval = _Seconds(label=_("Interval, in seconds"), required=False)
    at = MomentField(label=_("Moment"), required=False, widget=_Moment)
    starts_at = MomentField(label=_("From"), required=False, widget=_Moment)
    ends_at = MomentField(label=_("Until"), required=False, widget=_Moment)
    max_runs = forms.IntegerField(
        label=_("Max runs"), required=False, help_text=_("Empty: without end.")
    )
    jitter = _Seconds(
        label=_("Jitter, in seconds"),
        required=False,
        help_text=_("Each run begins by chance up to so much later."),
    )
    overlap = forms.ChoiceField(
        label=_("While an earlier run is alive"), choices=Schedule.Overlap.choices, initial="skip"
    )
    misfire = forms.ChoiceField(
        label=_("Missed runs"), choices=Schedule.Misfire.choices, initial="once"
    )
    catch_up = forms.IntegerField(
        label=_("At most"),
        initial=100,
        help_text=_("So many missed runs are made up for at most, and so many wait at most."),
    )
    over = _Seconds(
        label=_("Scatter over, in seconds"),
        required=False,
        help_text=_("For tasks whose run adds calls: these are spread over so much time."),
    )
    queue_name = forms.CharField(label=_("Queue"), max_length=64, required=False)
    priority = forms.IntegerField(label=_("Priority"), required=False)
    max_attempts = forms.IntegerField(label=_("Attempts"), required=False)
    timeout = _Seconds(label=_("Time-out, in seconds"), required=False)
    enabled = forms.BooleanField(label=_("Enabled"), required=False, initial=True)

    def __init__(self, data: QueryDict | None, schedule: Schedule | None = None) -> None:
        initial = {"timezone": timezone.get_default_timezone_name()}
        initial |= initial_of(schedule) if schedule is not None else {}
        super().__init__(data, initial=initial, auto_id="ag-%s", label_suffix="")
        self._schedule = schedule
        self.definition: Definition | None = None
        names = sorted(registered())
        self.fields["task"].widget.attrs["list"] = "ag-tasks"
        self.tasks = names
        # What it is called with may be secret, so it is never shown here.
        hint = _("JSON. Empty: none.") if schedule is None else _("JSON. Empty: as they are.")
        self.fields["args"].help_text = self.fields["kwargs"].help_text = hint

    def groups(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """Return the fields under the headings that they belong to."""
        return [(title, [self[name] for name in names]) for title, names in _GROUPS]

    def clean_task(self) -> str:
        """Refuse what nothing answers to."""
        try:
            return resolve(self.cleaned_data["task"]).name
        except (UnknownTask, ValueError) as error:
            raise forms.ValidationError(str(error)) from error

    def clean_args(self) -> Any:
        """Read a list."""
        return self._read("args", list)

    def clean_kwargs(self) -> Any:
        """Read an object."""
        return self._read("kwargs", dict)

    def clean(self) -> dict[str, Any]:
        """Read the definition; an error is shown at the field that it names."""
        given = super().clean() or self.cleaned_data
        needed = _NEEDED.get(given.get("kind", ""))
        if needed and not self.errors and given[needed] in (None, ""):
            self.add_error(needed, _("This is needed for what is chosen above."))
        if self.errors:
            return given
        try:
            options = _options(given)
            if self._schedule is not None:
                # There is no field for it.
                options["backoff"] = self._schedule.backoff
            self.definition = read_definition(given["task"], *self._rule(given), options)
        except (TypeError, ValueError) as error:
            field = self._blamed(str(error))
            self.add_error(field, _QUOTED.sub("", str(error), count=1) if field else str(error))
        return given

    def _rule(self, given: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
        if given["kind"] == Schedule.Kind.CRON:
            try:
                Cron(given["expression"], given["timezone"])
            except ValueError:
                words = _("“%(value)s” is no cron expression of five fields.")
                raise ValueError(
                    f"'expression': {words % {'value': given['expression']}}"
                ) from None
            return "cron", (given["expression"], given["timezone"])
        if given["kind"] == Schedule.Kind.INTERVAL:
            return "interval", (given["interval"],)
        return "once", (given["at"],)

    def _read(self, name: str, kind: type) -> Any:
        text = self.cleaned_data[name].strip()
        if not text:
            return kind() if self._schedule is None else self._kept(self._schedule, name)
        try:
            value = decode(text)
        except ValueError as error:
            words = _("This is no JSON: %(error)s") % {"error": error}
            raise forms.ValidationError(words) from error
        if not isinstance(value, kind):
            raise forms.ValidationError(_("This must be a JSON list, or a JSON object of names."))
        return value

    @staticmethod
    def _kept(schedule: Schedule, name: str) -> Any:
        try:
            return getattr(schedule, name)
        except ValueError as error:
            raise forms.ValidationError(redaction.unreadable()) from error

    def _blamed(self, message: str) -> str | None:
        found = _QUOTED.match(message)
        return found[1] if found and found[1] in self.fields else None


def _options(given: dict[str, Any]) -> dict[str, Any]:
    rest = {name: given[name] or None for name in ("queue_name", *_LENGTHS[1:])}
    plain = ("args", "kwargs", "name", "description", "enabled", "starts_at", "ends_at")
    counts = ("max_runs", "overlap", "misfire", "catch_up", "priority", "max_attempts")
    labels = [word.strip() for word in given["labels"].split(",") if word.strip()]
    return {**rest, **{name: given[name] for name in (*plain, *counts)}, "labels": labels}


def initial_of(schedule: Schedule) -> dict[str, Any]:
    """Return what the form of a schedule begins with; not what it is called with."""
    terms = schedule.terms or {}
    lengths = {"interval": schedule.interval, "jitter": schedule.jitter}
    lengths |= {name: terms.get(name) for name in ("over", "timeout")}
    return {
        **{name: getattr(schedule, name) for name in _COLUMNS if getattr(schedule, name) != ""},
        **dict(_in_seconds(lengths)),
        "task": schedule.task_name,
        "labels": ", ".join(schedule.labels),
        "at": schedule.anchor if schedule.kind == Schedule.Kind.ONCE else None,
    }


def _in_seconds(lengths: dict[str, timedelta | None]) -> Iterator[tuple[str, float]]:
    for name, length in lengths.items():
        if length is not None:
            yield name, length.total_seconds()

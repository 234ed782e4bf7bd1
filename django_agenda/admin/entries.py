"""A filter that is written instead of chosen: whole names, numbers and moments, in one form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_agenda.models.labels import having_labels
from django_agenda.tasks.registry import registered

from .actions.forms import MomentField
from .makers import made_by
from .search import of_members

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Narrow = Callable[[QuerySet[Any], str], QuerySet[Any]]

_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Hold one field: `narrow` keeps the rows that fit, or raises ValueError for what is no value.

    `kind` is the type of its input, `known` gives what a browser may offer.
    """

    name: str
    label: str | _StrPromise
    narrow: Narrow
    kind: str = "text"
    known: Callable[[], Iterable[str]] = tuple


class EntriesFilter(admin.ListFilter):
    """Narrow a list by what is written into its fields; empty ones say nothing."""

    title = _("details")
    template = "admin/django_agenda/entries.html"
    # Skins ask every filter for one name.
    parameter_name = "details"
    entries: ClassVar[tuple[Entry, ...]] = ()
    parameter_names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.parameter_names = tuple(entry.name for entry in cls.entries)

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.parameter_names:
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1].strip()

    def expected_parameters(self) -> list[str | None]:
        """Return the names of all fields."""
        return list(self.parameter_names)

    def has_output(self) -> bool:
        """Say that there is always something to fill in."""
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Give the one form that there is, with what else the list is filtered by."""
        own = {*self.parameter_names, PAGE_VAR, "e"}
        query = self.request.GET
        hidden = [(name, one) for name in query if name not in own for one in query.getlist(name)]
        fields = [
            {"entry": entry, "value": self.used_parameters.get(entry.name, "")}
            for entry in self.entries
        ]
        clear = changelist.get_query_string(remove=list(self.parameter_names))
        yield {"hidden": hidden, "fields": fields, "clear": clear if self._filled else ""}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Apply every field that is filled in."""
        for entry, value in self._filled:
            try:
                queryset = entry.narrow(queryset, value)
            except ValueError as error:
                raise IncorrectLookupParameters(error) from error
        return queryset

    @property
    def _filled(self) -> list[tuple[Entry, str]]:
        used: dict[str, Any] = self.used_parameters
        return [(entry, used[entry.name]) for entry in self.entries if used.get(entry.name)]


def read_moment(text: str) -> datetime:
    """Return a moment that was written on the clock of the current time zone."""
    try:
        found: datetime = MomentField().clean(text)
    except ValidationError as error:
        raise ValueError(str(error)) from error
    return found


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
        raise ValueError(f"{text!r} is no number of a row")
    return int(text)


def _is(field: str) -> Narrow:
    return lambda rows, text: rows.filter(**{field: text})


def _known_queues() -> list[str]:
    return sorted({task.queue_name for task in registered().values()})


def _overlaps(rows: QuerySet[Any], since: datetime) -> QuerySet[Any]:
    return rows.filter(start__gte=since - F("over"))


class BatchEntries(EntriesFilter):
    """Ask for what a batch carries, what it calls, who made it, and where its window lies."""

    entries = (
        Entry(
            name="label",
            label=_("Label"),
            narrow=lambda rows, text: having_labels(rows, [text]),
        ),
        Entry(
            name="task",
            label=_("Task"),
            narrow=lambda rows, text: rows.filter(of_members(Q(task_name=text))),
            known=lambda: sorted(registered()),
        ),
        Entry(
            name="maker",
            label=_("Planned by"),
            narrow=lambda rows, text: rows.filter(made_by(text)),
        ),
        Entry(
            name="begin",
            label=_("Window overlaps, from"),
            narrow=lambda rows, text: _overlaps(rows, read_moment(text)),
            kind="datetime-local",
        ),
        Entry(
            name="until",
            label=_("to"),
            narrow=lambda rows, text: rows.filter(start__lte=read_moment(text)),
            kind="datetime-local",
        ),
    )


class ExecutionEntries(EntriesFilter):
    """Ask for what an execution belongs to, who ran it, and when it is due."""

    entries = (
        Entry(
            name="batch__id__exact",
            label=_("Number of the batch"),
            narrow=lambda rows, text: rows.filter(batch=_number(text)),
            kind="number",
        ),
        Entry(
            name="queue_name",
            label=_("Queue"),
            narrow=_is("queue_name"),
            known=_known_queues,
        ),
        Entry(name="worker", label=_("Worker"), narrow=_is("worker")),
        Entry(
            name="error_fingerprint",
            label=_("Fingerprint of the error"),
            narrow=lambda rows, text: rows.filter(error_fingerprint=text, error_fingerprint__gt=""),
        ),
        Entry(
            name="begin",
            label=_("Due from"),
            narrow=lambda rows, text: rows.filter(due_at__gte=read_moment(text)),
            kind="datetime-local",
        ),
        Entry(
            name="until",
            label=_("to"),
            narrow=lambda rows, text: rows.filter(due_at__lte=read_moment(text)),
            kind="datetime-local",
        ),
    )


def day_of(moment: datetime) -> tuple[datetime, datetime]:
    """Return the first moment of the day on the clock of the current time zone, and of the next."""
    local = timezone.localtime(moment)
    begin = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return begin, (begin + timedelta(days=1, hours=2)).replace(hour=0)

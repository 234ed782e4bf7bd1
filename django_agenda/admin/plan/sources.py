"""Where a project keeps arguments ready for a new batch: functions that it offers by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_agenda.tasks.call import Call
from django_agenda.tasks.registry import resolve
from django_agenda.tasks.task import Task

from .lines import MOST_CALLS, checked

Supply = TypeVar("Supply", bound=Callable[[HttpRequest], Iterable[Any]])

_sources: dict[str, Source] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Hold what is offered: a task, words for people, and where its arguments come from."""

    task: Task[..., Any]
    label: Any
    supply: Callable[[HttpRequest], Iterable[Any]]


def arguments_for(task: Any, label: Any) -> Callable[[Supply], Supply]:
    """Offer the decorated function on the page of a new batch, as a source of calls of `task`.

    It takes the request and returns an iterable, such as a query set's `values_list()`: a tuple or
    list holds positional arguments, a dictionary keyword arguments, anything else is the only
    argument. It is asked for a preview and again when that is confirmed. `label` may be lazy.
    """

    def offer(supply: Supply) -> Supply:
        name = f"{supply.__module__}.{supply.__qualname__}"
        _sources[name] = Source(task=resolve(task), label=label, supply=supply)
        return supply

    return offer


def sources() -> dict[str, Source]:
    """Return what is offered, by name."""
    return dict(_sources)


def read_source(source: Source, request: HttpRequest) -> list[Call]:
    """Return a call for each of its arguments; raise ValidationError that names a wrong one."""
    found = list(islice(source.supply(request), MOST_CALLS + 1))
    if not found:
        raise ValidationError(_("There is nothing to call."))
    if len(found) > MOST_CALLS:
        words = _("There are more than the %(most)d calls that can be planned here.")
        raise ValidationError(words % {"most": MOST_CALLS})
    signature = source.task.signature()
    calls = []
    for number, one in enumerate(found, 1):
        try:
            calls.append(checked(source.task, signature, _arguments(one)))
        except (TypeError, ValueError) as error:
            words = _("Call %(number)d: %(why)s")
            raise ValidationError(words % {"number": number, "why": str(error)[:300]}) from None
    return calls


def _arguments(one: Any) -> list[Any] | dict[str, Any]:
    if isinstance(one, Mapping):
        return dict(one)
    return list(one) if isinstance(one, tuple | list) else [one]

"""Which strikes there are, and what they hold.

Each process knows the strikes that it has read last. Whatever it writes or claims by them asks, in
the same statement, whether they still are all there are: the sum of their marks. If not, nothing
is written or claimed, the strikes are read anew, and it is done again. So a strike counts from its
commit on, nobody has to be told of it, and as long as there is none that costs no round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from django.db import connections
from django.db.models import ExpressionWrapper, F, QuerySet, TextField

from django_agenda.exceptions import UnknownTask
from django_agenda.models.execution import Execution
from django_agenda.models.strike import Strike
from django_agenda.models.unread import read_rows
from django_agenda.policies.condition import Condition
from django_agenda.tasks.arguments import read_arguments
from django_agenda.tasks.registry import lookup

R = TypeVar("R")

_COLUMNS = ("id", "task_name", "parameter", "operator", "value", "mark")


class _Held(NamedTuple):
    """Hold one strike; without a condition it holds whatever is called."""

    held_by: str
    parameter: str
    condition: Condition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """Hold all strikes of a moment, by the name of their task; an empty name is any task."""

    mark: int
    strikes: Mapping[str, tuple[_Held, ...]]

    @classmethod
    def of(cls, task_name: str, parameter: str, operator: str, value: Any) -> Struck:
        """Return one strike that nobody has made yet."""
        held = _Held("?", parameter, Condition(operator=operator, value=value))
        return cls(mark=0, strikes={task_name: (held,)})

    def __bool__(self) -> bool:
        return bool(self.strikes)

    def guard(self, using: str) -> str:
        """Return the SQL that is true as long as these are all strikes."""
        table = connections[using].ops.quote_name(Strike._meta.db_table)
        return f"COALESCE((SELECT SUM(s.mark) FROM {table} s), 0) = {int(self.mark)}"

    def holds(self, task_name: str, args: str, kwargs: str) -> str:
        """Return the `held_by` of the first strike that matches a call; empty when none does."""
        found = (*self.strikes.get(task_name, ()), *self.strikes.get("", ()))
        arguments: Mapping[str, Any] | None = None
        for one in found:
            if one.condition is None:
                return one.held_by
            if arguments is None:
                arguments = _arguments(task_name, args, kwargs)
            if one.parameter in arguments and one.condition.is_met_by(arguments[one.parameter]):
                return one.held_by
        return ""

    def among(self, using: str, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Give those of these executions that a strike matches, each with its `held_by`."""
        if not self:
            return
        rows = Execution.objects.using(using).filter(pk__in=list(ids)).order_by()
        if "" not in self.strikes:
            rows = rows.filter(task_name__in=list(self.strikes))
        found = rows.annotate(args_text=_text("args"), kwargs_text=_text("kwargs"))
        for id_, *call in found.values_list("pk", "task_name", "args_text", "kwargs_text"):
            if held_by := self.holds(*call):
                yield id_.hex, held_by

    def without(self, held_by: str) -> Struck:
        """Return the other strikes than this one."""
        left = {
            name: rest
            for name, held in self.strikes.items()
            if (rest := tuple(one for one in held if one.held_by != held_by))
        }
        return replace(self, strikes=left)


_NONE = Struck(mark=0, strikes={})
_known: dict[str, Struck] = {}


def under_strikes(using: str, act: Callable[[Struck], R]) -> R:
    """Return what `act` returns for the strikes that hold now.

    It must change nothing, and return nothing, unless the guard of those that it is given is true.
    """
    while True:
        known = _known.get(using, _NONE)
        result = act(known)
        if result or read(using).mark == known.mark:
            return result


def calls_of(rows: QuerySet[Execution]) -> Iterator[tuple[str, str, str]]:
    """Give what Struck.holds() wants to know of each of these."""
    found = rows.annotate(args_text=_text("args"), kwargs_text=_text("kwargs"))
    yield from found.values_list("task_name", "args_text", "kwargs_text").iterator()


def read(using: str) -> Struck:
    """Read all strikes, and know them from now on."""
    strikes: dict[str, tuple[_Held, ...]] = {}
    mark = 0
    rows = Strike.objects.using(using).order_by("pk").only(*_COLUMNS)
    for row in read_rows(rows, *Strike.PAYLOAD):
        mark += row.mark
        # Of a later release: whoever knows the operator and the value holds it.
        with suppress(ValueError):
            held = _Held(row.held_by, row.parameter, _condition(row))
            strikes[row.task_name] = (*strikes.get(row.task_name, ()), held)
    _known[using] = Struck(mark=mark, strikes=strikes)
    return _known[using]


def _condition(row: Strike) -> Condition | None:
    return Condition(operator=row.operator, value=row.value) if row.parameter else None


def _text(name: str) -> Any:
    """Return a payload as it is stored: one that cannot be read must not stop the others."""
    return ExpressionWrapper(F(name), output_field=TextField())


def _arguments(task_name: str, args: str, kwargs: str) -> Mapping[str, Any]:
    try:
        task = lookup(task_name)
    except UnknownTask:
        task = None
    return read_arguments(task, args, kwargs)

"""What can be done, as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Q, QuerySet

from django_agenda.models.execution_set import ExecutionQuerySet

from .offer import Offer

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class Given(NamedTuple):
    """Hold the subjects that fit, the executions within reach, and what was filled in."""

    subjects: QuerySet[Any]
    executions: ExecutionQuerySet
    wish: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Offer):
    """Hold one action on subjects, which are batches or executions.

    `fits` says which subjects it is for, `reach` which of their executions it changes: whoever
    asks sees those counted. `carry_out` returns how many executions were changed. `ask` and `done`
    are plural forms by "number" that write %(count)s. `passed_over` says why some within reach may
    not have been changed; `changes_batch` that something is done even if no execution was changed;
    `is_by_error` that it can be narrowed to one kind of error; `needs_redis` that it is refused
    while Redis does not answer; `is_end` that the subjects are gone;
    `lets_go` that what is overdue by then starts.

    Many targets are changed part by part, as an operation: by `carry_out`, with a wish that has its
    share of the window as `over` and `start`; or by `in_parts` if there is one, and then
    `carry_out` for each batch, if it is `by_batch`. `is_brake` has it done at once, however many.
    """

    fits: Callable[[], Q]
    reach: Callable[[], Q]
    carry_out: Callable[[Given], int]
    passed_over: str | _StrPromise = ""
    is_repair: bool = False
    is_by_error: bool = False
    changes_batch: bool = False
    needs_redis: bool = False
    lets_go: bool = False
    by_batch: bool = False
    in_parts: Callable[[Given], int] | None = None
    is_brake: bool = False
    is_end: bool = False


def in_numbers(text: Any, number: int, count: str) -> str:
    """Return a plural form with its number."""
    return str(text % {"number": number, "count": count})

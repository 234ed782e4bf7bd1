"""An action and what it is for: count it, carry it out, tell what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Model, QuerySet
from django.utils.translation import gettext as _

from django_agenda.admin import wording
from django_agenda.admin.states import State, known_of
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.execution_set import ExecutionQuerySet

from .action import Action, Given, in_numbers
from .history import ONE_BY_ONE, named

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Hold what an action would change by now, and what it would pass over."""

    count: int
    subjects: int
    shares: list[tuple[State, int]]
    skipped: list[tuple[State, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Hold what came of it: executions changed, subjects passed over, and `lost` to others."""

    action: Action
    model: type[Model]
    count: int
    subjects: list[Model]
    skipped: list[tuple[State, int]]
    lost: int

    @property
    def is_done(self) -> bool:
        """Tell whether anything was changed."""
        return self.count > 0 or (self.action.changes_batch and bool(self.subjects))

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was passed over."""
        return self.is_done and not self.skipped and not self.lost

    @property
    def words(self) -> str:
        """Say it in a sentence, in the language of this moment."""
        done = in_numbers(self.action.done, self.count, wording.count(self.count))
        parts = [done if self.is_done else _("Nothing was changed")]
        passed = _("skipped %(count)s: %(state)s")
        if self.model is Execution:
            passed = _("skipped %(count)s: already %(state)s")
        parts += [
            passed % {"count": wording.count(many), "state": state.label}
            for state, many in self.skipped
        ]
        if self.lost:
            why = self.action.passed_over or _("changed meanwhile")
            parts.append(
                _("skipped %(count)s: %(why)s") % {"count": wording.count(self.lost), "why": why}
            )
        return "; ".join(parts) + "."


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Hold an action and its subjects: rows of the admin's model that this user may see.

    `error` narrows it to the executions of one error fingerprint. `is_chosen` says that the
    subjects were chosen one by one; else they are those of a filter, which may change. `row` is the
    one subject of an action on its page; `about` says what the subjects have in common.
    """

    action: Action
    subjects: QuerySet[Any]
    executions: ExecutionQuerySet
    error: str = ""
    is_chosen: bool = True
    row: Model | None = None
    about: str | _StrPromise = ""

    @property
    def within_reach(self) -> ExecutionQuerySet:
        """Return the executions that would be changed by now."""
        found = self.executions.filter(self.action.reach())
        if self.subjects.model is Batch:
            fitting = self.subjects.filter(self.action.fits()).order_by()
            found = found.filter(batch__in=fitting.values("pk"))
        return found.filter(error_fingerprint=self.error) if self.error else found

    def survey(self) -> Survey:
        """Count, by status: two statements."""
        counted = self.within_reach.order_by().values_list("status").annotate(many=Count("*"))
        counts: Mapping[str, int] = dict(counted)
        subjects, skipped = self._fitting()
        known = known_of(self.executions.model)
        return Survey(
            count=sum(counts.values()),
            subjects=subjects,
            shares=[(state, counts[slug]) for slug, state in known.items() if slug in counts],
            skipped=skipped,
        )

    def carry_out(self, wish: dict[str, Any], seen: int, before: Survey) -> Answer:
        """Do it; `seen` is how many there were when it was asked for, `before` what there is now.

        Raises ValueError, before anything is changed, for moments that cannot be.
        """
        fitting = self.subjects.filter(self.action.fits())
        subjects = list(named(fitting)[: ONE_BY_ONE + 1])
        count = (
            self.action.carry_out(Given(fitting, self.within_reach, wish)) if before.subjects else 0
        )
        is_exact = self.is_chosen and self.subjects.model is not Batch
        expected = before.count if is_exact else max(before.count, seen)
        return Answer(
            action=self.action,
            model=self.subjects.model,
            count=count,
            subjects=subjects,
            skipped=before.skipped,
            lost=max(expected - count, 0),
        )

    def _fitting(self) -> tuple[int, list[tuple[State, int]]]:
        """Count the subjects that fit, and by status those that do not."""
        known = known_of(self.subjects.model)
        counted = (
            self.subjects.order_by()
            .values_list("status")
            .annotate(many=Count("pk"), fit=Count("pk", filter=self.action.fits()))
        )
        found = [(known[status], many - fit, fit) for status, many, fit in counted]
        skipped = [(state, left) for state, left, _fit in found if left]
        return sum(fit for *_rest, fit in found), skipped

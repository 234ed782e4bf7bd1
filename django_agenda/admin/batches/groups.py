"""The failures of a batch, grouped by what is one and the same problem."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import QuerySet

from django_agenda.models.errors import normalise
from django_agenda.models.execution import Execution
from django_agenda.scheduling.count import Kinds
from django_agenda.scheduling.grid import FEW

_READ = ("position", "status", "failed_stage", "error_class", "error_message", "task_name")


@dataclass(slots=True, kw_only=True)
class Group:
    """Hold one problem: how many ended with it, when, and one of them (no row if it was pruned)."""

    fingerprint: str
    sample: Execution
    count: int
    retrying: int
    first_ms: int
    last_ms: int
    is_pruned: bool = False
    line: list[int] = field(default_factory=lambda: [0] * FEW)

    @property
    def met(self) -> int:
        """Return how many have it: those that have ended, and those that are tried again."""
        return self.count + self.retrying

    @property
    def message(self) -> str:
        """Return the sample's message without what differs from one to the next."""
        return normalise(self.sample.error_message)


@dataclass(slots=True, kw_only=True)
class Failures:
    """Hold the largest groups, and how many more there are."""

    groups: list[Group]
    more: int


def groups_of(kinds: Kinds, rows: QuerySet[Execution]) -> Failures:
    """Fetch one of each kind, in one statement."""
    positions = [kind.sample for kind in kinds.largest]
    samples = {
        sample.position: sample for sample in rows.filter(position__in=positions).only(*_READ)
    }
    groups = [
        Group(
            fingerprint=kind.fingerprint,
            sample=samples[kind.sample],
            count=kind.many,
            retrying=kind.retrying,
            first_ms=kind.first_ms,
            last_ms=kind.last_ms,
            line=kind.line,
        )
        for kind in kinds.largest
        if kind.sample in samples
    ]
    return Failures(groups=groups, more=kinds.more)

"""One claimed row on its way through the gates, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from django.db import connections

from django_agenda.broker.entry import Entry, due_ms
from django_agenda.models import bulk
from django_agenda.models.execution import Execution
from django_agenda.policies.policies import Policies
from django_agenda.scheduling.slots import InLine
from django_agenda.tasks.gates import Key

# As the claim returns it: see claims.
Row = tuple[Any, ...]

COLUMNS = (
    *("id", "status", "held_by", "held_at", "gate"),
    *("due_at", "moved_by", "finished_at", "error_message"),
)
RUNNING = Execution.Status.RUNNING.value
SCHEDULED = Execution.Status.SCHEDULED.value
SKIPPED = Execution.Status.SKIPPED.value
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Every zone can still show it.
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
_LATEST_US = (_LATEST - _EPOCH) // _MICROSECOND


@dataclass(slots=True)
class Candidate:
    """Follow one row; `starts_us` is the moment at which it would start, `due_us` or later.

    `moved_by` is the gate that has put it off before. Until one of the verbs is called it passes.
    """

    row: Row
    policies: Policies
    keys: Mapping[str, Key]
    place: InLine
    due_us: int
    starts_us: int = 0
    moved_by: str | None = None
    status: str = RUNNING
    held_by: str = ""
    moved_to: datetime | None = None
    reason: str = ""

    @property
    def id(self) -> str:
        """Return the id as 32 hexadecimal digits."""
        return self.place.id

    @property
    def is_first_try(self) -> bool:
        """Tell whether this is no retry, and no second try after a crash."""
        return int(self.row[5]) == 1

    def wait(self) -> None:
        """Let it wait for a slot."""
        self.status, self.held_by = SCHEDULED, Execution.NO_SLOT

    def move(self, moment_us: int, gate: str) -> None:
        """Let it wait until that moment, and be judged again then."""
        self.status = SCHEDULED
        self.moved_to, self.moved_by = moment_of(moment_us), gate

    def skip(self, reason: str) -> None:
        """Let it end."""
        self.status, self.reason = SKIPPED, reason

    @property
    def vacated(self) -> str | None:
        """Return the gate in whose line it was, when its task has another one by now, or none."""
        before = bulk.read_id(self.row[16]) if self.row[16] else None
        key = self.keys.get("concurrency")
        # What runs without a limit keeps its old slot until it ends.
        if key is None and self.status == RUNNING:
            return None
        return None if key is not None and key.id == before else before

    def move_of_status(self) -> tuple[int | None, str, str]:
        """Return what counters.tally() is to be told of one that did not pass."""
        return self.row[1], Execution.status_before_claim(self.row[13]), self.status

    def entry(self) -> Entry | None:
        """Return what the broker is to have of it, now that it waits for another moment."""
        if self.moved_to is None:
            return None
        return Entry(self.id, self.row[11], due_ms(self.moved_to), self.row[12])

    def columns(self, using: str, moment: datetime) -> list[Any]:
        """Return the values of COLUMNS."""
        connection = connections[using]
        text = bulk.moment_text(moment, connection)
        key = self.keys.get("concurrency")
        has_gate = key is not None and (self.status == RUNNING or self.held_by)
        return [
            self.id,
            self.status,
            self.held_by,
            text if self.held_by else None,
            key.id if key is not None and has_gate else None,
            bulk.moment_text(self.moved_to, connection),
            self.moved_by,
            text if self.status == SKIPPED else None,
            self.reason,
        ]


def of(key: Key) -> str:
    """Return the words that name the values of a gate; nothing for the one gate of a task."""
    return f" of {key.label}" if key.label else ""


class Door(Protocol):
    """Judge by one kind of policy."""

    def lets(self, one: Candidate) -> bool:
        """Tell whether it passes; otherwise say on it what becomes of it."""

    def passed(self, one: Candidate) -> None:
        """Note that it has passed every door, and starts."""


def moment_of(us: int) -> datetime:
    """Return what is so many microseconds after 1970; beyond either end of time it is that end."""
    return _EPOCH + timedelta(microseconds=min(max(us, 0), _LATEST_US))


def us_of(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND

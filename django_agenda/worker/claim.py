"""What a worker holds of an execution that it has claimed, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django_agenda.broker.entry import Entry
from django_agenda.clock import monotonic
from django_agenda.policies.terms import Terms
from django_agenda.scheduling.leave import Start
from django_agenda.tasks.context import Wish
from django_agenda.tasks.payload import decode
from django_agenda.tasks.reached import Reached
from django_agenda.tasks.task import Task

from .lease import Lease

FENCED = "fenced"


class Claim(NamedTuple):
    """Hold a claimed row; `args` and `kwargs` are JSON texts, `attempt` counts from 1."""

    id: str
    batch_id: int | None
    task_name: str
    args: str
    kwargs: str
    attempt: int
    max_attempts: int
    crashes: int
    due_at: datetime
    expires_ms: int | None
    key: str | None
    queue_name: str
    priority: int
    task: Task[..., Any]
    starts: float
    """The moment of the monotonic clock before which it must not start."""
    lease: Lease
    schedule_id: int | None = None
    terms: str | None = None
    """What its schedule asks for, as JSON; `task` is on these terms already."""
    slot: str | None = None
    """The gate of which it has a slot."""
    start: Start | None = None
    """The start of its rate that it has used up."""

    @property
    def may_start(self) -> bool:
        """Tell whether its body may begin now; what may not is given back."""
        return self.lease.is_trusted and (
            self.start is None or monotonic() <= self.starts + self.start.tolerance / 1_000_000
        )


class Recorded(NamedTuple):
    """Hold which ids were taken, and what is to be enqueued.

    `cancelled` are those that were to be tried again, and whose cancellation was asked for.
    """

    taken: set[str]
    entries: list[Entry]
    cancelled: set[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Hold how an attempt ended; `retry_at` is set when the execution is to run again.

    `status` is FENCED when nothing was started: see Claim.may_start.
    `recorded` is set when the body's own transaction has stored it.
    """

    claim: Claim
    status: str
    started_at: datetime
    finished_at: datetime
    run_ms: int
    return_value: str | None = None
    stage: str = ""
    error_class: str = ""
    error_message: str = ""
    traceback: str = ""
    error_fingerprint: str = ""
    retry_at: datetime | None = None
    wish: Wish | None = None
    is_asked: bool = False
    """Whether the body asked to be tried again, which no limit of tries forbids."""
    reached: Reached | None = None
    recorded: Recorded | None = None


def terms_of(claim: Claim) -> Terms:
    """Return what the schedule of a run asks for; nothing for any other execution."""
    return Terms() if claim.terms is None else Terms.unpack(decode(claim.terms))


def on_terms(task: Task[..., Any], terms: str | None) -> Task[..., Any]:
    """Return the task as the column `terms` of a run asks for it."""
    return task if terms is None else task.on_terms(Terms.unpack(decode(terms)))

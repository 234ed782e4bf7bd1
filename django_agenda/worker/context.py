"""What `current` tells of a claim."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from django.db import router

from django_agenda.agenda import Agenda
from django_agenda.exceptions import OutsideTask
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.unread import unread
from django_agenda.tasks.context import Context
from django_agenda.tasks.payload import decode
from django_agenda.tasks.reached import Reached

from .claim import Claim, terms_of


class ClaimContext(Context):
    """Read rows only when a body asks for them; `stored` is the progress that its row has."""

    __slots__ = ("_agenda", "_batch", "_execution", "claim", "stored")

    def __init__(self, claim: Claim) -> None:
        super().__init__(
            id=claim.id,
            task_name=claim.task_name,
            attempt=claim.attempt,
            key=claim.key,
            batch_id=claim.batch_id,
        )
        self.stored: Reached | None = None
        self.claim = claim
        self._execution: Execution | None = None
        self._batch: Batch | None = None
        self._agenda: Agenda | None = None

    @property
    def execution(self) -> Execution:
        """Build it of what the claim has read, without a statement."""
        if self._execution is None:
            self._execution = execution_of(self.claim)
        return self._execution

    @property
    def batch(self) -> Batch | None:
        """Read it; in an event loop, where nothing can be read, only its id is known."""
        if self._batch is None and self.claim.batch_id is not None:
            batch = unread(Batch, router.db_for_write(Batch), {"id": self.claim.batch_id})
            if not _in_event_loop():
                batch.refresh_from_db()
            self._batch = batch
        return self._batch

    @property
    def is_of_schedule(self) -> bool:
        """Look at the claim."""
        return self.claim.schedule_id is not None

    @property
    def agenda(self) -> Agenda:
        """Make it when it is used first."""
        if self._agenda is None:
            if terms_of(self.claim).over is None:
                raise OutsideTask(
                    "'current.agenda' is for a run of a schedule that has 'over', and this is none"
                )
            self._agenda = Agenda()
        return self._agenda

    def scatter(self) -> Batch | None:
        """Scatter what the body has added to its agenda.

        The key keeps a body that runs again after a lost worker from doing so twice while the
        first batch lives.
        """
        over = terms_of(self.claim).over
        if not self._agenda or over is None:
            return None
        return self._agenda.scatter(over=over, name=self.task_name, key=f"tick {self.id}")


def execution_of(claim: Claim) -> Execution:
    """Return the row as it was claimed, without a statement; the rest is read when it is used."""
    return unread(Execution, router.db_for_write(Execution), _values(claim))


def _values(claim: Claim) -> dict[str, Any]:
    return {
        "id": UUID(claim.id),
        "batch_id": claim.batch_id,
        "task_name": claim.task_name,
        "args": decode(claim.args),
        "kwargs": decode(claim.kwargs),
        "key": claim.key,
        "live_key": claim.key,
        "queue_name": claim.queue_name,
        "priority": claim.priority,
        "due_at": claim.due_at,
        "expires_ms": claim.expires_ms,
        "status": Execution.Status.RUNNING.value,
        "attempts": claim.attempt,
        "max_attempts": claim.max_attempts,
        "crashes": claim.crashes,
        "schedule_id": claim.schedule_id,
    }


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

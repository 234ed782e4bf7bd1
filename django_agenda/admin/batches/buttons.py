"""Which buttons a batch has in its head, and which beside each kind of error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import HttpRequest

from django_agenda.admin.actions.action import Action
from django_agenda.admin.actions.buttons import Button, button, fitting
from django_agenda.admin.actions.of_batches import ENQUEUE, OF_BATCHES, RETRY, STOP_RETRYING
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin

    from .groups import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchButtons:
    """Hold what may be done with a batch by this user, as things stand."""

    admin: ActingAdmin
    batch: Batch
    actions: Sequence[Action]

    @property
    def head(self) -> list[Button]:
        """Return the buttons of the head of the page."""
        shown = [action for action in self.actions if action is not STOP_RETRYING]
        return [
            button(self.admin, self.batch, action, count=self._count(action)) for action in shown
        ]

    def of_group(self, group: Group) -> list[Button]:
        """Return the buttons of one kind of error."""
        if group.sample.failed_stage == Execution.Stage.ENQUEUE:
            # Without a number: it is about the whole batch.
            return self._button_if(ENQUEUE)
        found = []
        if group.count:
            # The counts of a batch that was pruned are greater than what is left of it.
            count = 0 if self.batch.rollup else group.count
            found += self._button_if(RETRY, count, error=group.fingerprint)
        if group.retrying:
            found += self._button_if(STOP_RETRYING, error=group.fingerprint)
        return found

    def _button_if(self, action: Action, count: int = 0, **narrowed: str) -> list[Button]:
        if action not in self.actions:
            return []
        return [button(self.admin, self.batch, action, count=count, **narrowed)]

    def _count(self, action: Action) -> int:
        """Return how many it is about, where the batch's own counts tell.

        They do not for what is to be enqueued: of what was refused some may be held, and what never
        was told of is not in that count.
        """
        batch = self.batch
        return batch.failed + batch.missed if action is RETRY and not batch.rollup else 0


def batch_buttons(admin: ActingAdmin, request: HttpRequest, batch: Batch) -> BatchButtons:
    """Ask for all of them in one statement, or two when the batch was pruned."""
    actions = fitting(admin, request, batch, (*OF_BATCHES, STOP_RETRYING))
    if batch.rollup and RETRY in actions:
        # Its counts tell what there was, not what was pruned.
        left = admin.executions(request).filter(RETRY.reach(), batch=batch)
        if not left.exists():
            actions.remove(RETRY)
    return BatchButtons(admin=admin, batch=batch, actions=actions)

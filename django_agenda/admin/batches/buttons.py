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
        return [self._button(action, count=self._count(action)) for action in shown]

    def of_group(self, group: Group) -> list[Button]:
        """Return the buttons of one kind of error."""
        if group.sample.failed_stage == Execution.Stage.ENQUEUE:
            return self._button_if(ENQUEUE, group.count)
        found = []
        if group.count:
            # The counts of a batch that was pruned are greater than what is left of it.
            count = 0 if self.batch.rollup else group.count
            found += self._button_if(RETRY, count, group.fingerprint)
        if group.retrying:
            found += self._button_if(STOP_RETRYING, 0, group.fingerprint)
        return found

    def _button_if(self, action: Action, count: int, error: str = "") -> list[Button]:
        if action not in self.actions:
            return []
        return [self._button(action, count=count, error=error)]

    def _button(self, action: Action, *, count: int, error: str = "") -> Button:
        return button(self.admin, self.batch, action, count=count, error=error)

    def _count(self, action: Action) -> int:
        """Return how many it is about, where the batch's own counts tell."""
        batch = self.batch
        if action is ENQUEUE:
            return batch.pending
        if action is RETRY and not batch.rollup:
            return batch.failed + batch.missed
        return 0


def batch_buttons(admin: ActingAdmin, request: HttpRequest, batch: Batch) -> BatchButtons:
    """Ask for all of them in one statement, or two when the batch was pruned."""
    actions = fitting(admin, request, batch, (*OF_BATCHES, STOP_RETRYING))
    if batch.rollup and RETRY in actions:
        # Its counts tell what there was, not what was pruned.
        left = admin.executions(request).filter(RETRY.reach(), batch=batch)
        if not left.exists():
            actions.remove(RETRY)
    return BatchButtons(admin=admin, batch=batch, actions=actions)

"""The main repair of what the overview names, for those who may: one link, and a confirmation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import HttpRequest

from django_agenda.admin.acting import ActingAdmin
from django_agenda.admin.actions import of_errors
from django_agenda.admin.actions.action import Action
from django_agenda.admin.actions.buttons import Button, button
from django_agenda.admin.actions.of_batches import ENQUEUE, RESUME, RETRY
from django_agenda.admin.holds import Holds, resume_queue_button
from django_agenda.models.batch import Batch
from django_agenda.models.error_group import ErrorGroup

if TYPE_CHECKING:
    from django.db.models import Model

    from django_agenda.admin.read_only import ReadOnlyAdmin


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """Write the links; none is offered that would be refused."""

    admin: ReadOnlyAdmin
    request: HttpRequest
    has_redis: bool

    def of_batch(self, batch: Batch, holds: Holds) -> list[Button]:
        """Return what makes a batch go on, and what retries its failures; no statement."""
        found: list[Button] = []
        if not batch.is_finished:
            if batch.paused_at:
                found += self._button(batch, RESUME)
            elif self.has_redis and (batch.pending or batch.told_until < batch.total):
                found += self._button(batch, ENQUEUE)
            for name in holds.queues_of(batch.pk):
                found += resume_queue_button(self.admin, self.request, name)
        failed = batch.failed + batch.missed
        if failed and not batch.rollup:  # of what was pruned nobody knows how much is left
            found += self._button(batch, RETRY, failed)
        return found

    def of_error(self, fingerprint: str, ended: int, *, is_all: bool) -> list[Button]:
        """Return what retries all that failed or was missed within a day with one kind of error.

        Unless `ended` is all of it no number is told.
        """
        if not ended:
            return []
        count, group = (ended if is_all else 0), ErrorGroup(pk=fingerprint)
        return self._button(group, of_errors.RETRY, count, within="day")

    def _button(self, row: Model, action: Action, count: int = 0, **narrowed: str) -> list[Button]:
        model = type(row)
        if not self.admin.can_see(self.request, model):
            return []
        admin = self.admin.admin_site.get_model_admin(model)
        if not isinstance(admin, ActingAdmin) or not admin.may(self.request, action):
            return []
        return [button(admin, row, action, count=count, **narrowed)]

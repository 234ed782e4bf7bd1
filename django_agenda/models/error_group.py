"""What people said of one kind of error."""

from __future__ import annotations

from datetime import datetime

from django.db import models, router, transaction
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now


class ErrorGroup(models.Model):
    """Hold whether one kind of error is resolved or ignored; a kind without a row is open.

    The errors themselves are on the executions, and `fingerprint` is theirs. What is resolved is
    open again as soon as it has occurred after `changed_at`: whoever reads compares the two, and
    nothing has to be written. What is ignored stays so until somebody reopens it.
    """

    class State(models.TextChoices):
        """Say what somebody made of it."""

        OPEN = "open", _("open")
        RESOLVED = "resolved", _("resolved")
        IGNORED = "ignored", _("ignored")

    fingerprint = models.CharField(_("fingerprint"), max_length=16, primary_key=True)
    state = models.CharField(
        _("state"), max_length=8, choices=State.choices, default=State.OPEN, db_index=True
    )
    changed_at = models.DateTimeField(_("changed"), default=now)
    changed_by = models.CharField(_("changed by"), max_length=255, blank=True, default="")
    note = models.CharField(_("note"), max_length=300, blank=True, default="")

    class Meta:
        verbose_name = _("error group")
        verbose_name_plural = _("error groups")
        ordering = ("fingerprint",)
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return self.fingerprint

    def state_after(self, last: datetime) -> str:
        """Return the state of a kind of error that occurred at that moment for the last time."""
        if self.state == self.State.RESOLVED and last > self.changed_at:
            return self.State.OPEN.value
        return str(self.state)

    @classmethod
    def mark(
        cls, fingerprint: str, state: str, *, last: datetime, by: str, note: str
    ) -> ErrorGroup | None:
        """Write a state down, or return None when that is how it stands already."""
        with transaction.atomic(using=router.db_for_write(cls)):
            rows = cls._default_manager.select_for_update()
            group, _is_new = rows.get_or_create(pk=fingerprint)
            if group.state_after(last) == state:
                return None
            group.state, group.changed_at = state, now()
            group.changed_by, group.note = by[:255], note
            group.save()
        return group

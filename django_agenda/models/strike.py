"""What is held back, by task or by what is in its arguments."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_agenda.clock import now
from django_agenda.exceptions import UnknownTask
from django_agenda.policies.condition import OPERATORS
from django_agenda.tasks.registry import lookup
from django_agenda.tasks.secrets import HIDDEN, is_secret

from .fields import PayloadField

# So wide that two sets of strikes have one sum by no chance that matters, and that millions of
# them still fit into 64 bits.
_MARK_BITS = 40


def new_mark() -> int:
    """Return a number that no other strike has."""
    return secrets.randbits(_MARK_BITS) + 1


class Strike(models.Model):
    """Hold every call of a task, or every call whose argument meets a condition.

    Made by `strike()` and taken away by `restore()`: a row that is changed by hand is not noticed.
    An empty `task_name` is any task, an empty `parameter` any arguments. `mark` is random: the sum
    of all marks tells one set of strikes from another. `by` is the name of a user, as text.
    """

    HELD_BY: ClassVar = "strike "
    # What a version may have written that this one cannot decode: see models.unread.read_rows().
    PAYLOAD: ClassVar = ("value",)

    id = models.BigAutoField(primary_key=True)
    task_name = models.CharField(_("task"), max_length=255, blank=True, default="")
    parameter = models.CharField(_("parameter"), max_length=255, blank=True, default="")
    operator = models.CharField(
        _("operator"), max_length=8, choices=[(one, one) for one in OPERATORS], default="=="
    )
    value: Any = PayloadField(_("value"), default=None, null=True, blank=True)
    fingerprint = models.CharField(max_length=64, unique=True, editable=False)
    mark = models.BigIntegerField(default=new_mark, editable=False)
    reason = models.CharField(_("reason"), max_length=300, blank=True, default="")
    by = models.CharField(_("by"), max_length=255, blank=True, default="")
    created_at = models.DateTimeField(_("created"), default=now)

    class Meta:
        verbose_name = _("strike")
        verbose_name_plural = _("strikes")
        ordering = ("id",)
        default_permissions = ("view", "add")
        permissions = (("restore_strike", "Can restore"),)

    def __str__(self) -> str:
        return self.describe()

    @property
    def held_by(self) -> str:
        """Return what stands in `Execution.held_by` of what it holds."""
        return f"{self.HELD_BY}{self.pk}"

    def describe(self) -> str:
        """Say what it holds: "send_reminder where customer_id == 7"; secret values are hidden.

        One that cannot be decoded is a question mark.
        """
        task = self.task_name.rpartition(".")[2] or "*"
        if not self.parameter:
            return task
        condition = f"{self.parameter} {self.operator} {self._shown_value()}"
        return gettext("%(task)s where %(condition)s") % {"task": task, "condition": condition}

    def _shown_value(self) -> str:
        if is_secret(self.parameter, self._redacted()):
            return HIDDEN
        try:
            return f"{self.value!r:.80}"
        except (ValueError, Strike.DoesNotExist):
            # It is asked for anew, also when the row is gone by now.
            return "?"

    def _redacted(self) -> tuple[str, ...]:
        try:
            return lookup(self.task_name).redact
        except UnknownTask:
            return ()

"""Who or what has made a batch: somebody in the admin, a schedule, a task, or other code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from django_agenda.models.batch import Batch

_MOST = 10_000


def makers_of(batches: Sequence[Batch]) -> dict[int, str]:
    """Say who planned a batch in the admin, or that a task did; of other code nothing is known.

    One statement.
    """
    found = {batch.pk: _("a task") for batch in batches if batch.parent_id is not None}
    numbers = [str(batch.pk) for batch in batches]
    for entry in _additions().filter(object_id__in=numbers).select_related("user"):
        found[int(entry.object_id or 0)] = str(entry.user)
    return found


def made_by(username: str) -> Q:
    """Return a condition on batches: this user planned them in the admin. One statement."""
    field = f"user__{get_user_model().USERNAME_FIELD}"
    return _numbered(_additions().filter(**{field: username}))


def made_in_admin() -> Q:
    """Return a condition on batches: somebody planned them in the admin. One statement."""
    return _numbered(_additions())


def _additions() -> QuerySet[LogEntry]:
    kind = {"content_type__app_label": "django_agenda", "content_type__model": "batch"}
    return LogEntry.objects.filter(**kind, action_flag=ADDITION).order_by("-pk")


def _numbered(entries: QuerySet[LogEntry]) -> Q:
    """Read the numbers first: the column holds text, of whatever any admin has logged."""
    texts: Iterable[str | None] = entries.values_list("object_id", flat=True)[:_MOST]
    return Q(pk__in=[int(text) for text in texts if text and text.isdecimal()])

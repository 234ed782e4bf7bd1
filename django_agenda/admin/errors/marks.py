"""What somebody may make of a kind of error: resolve it, ignore it, reopen it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from django_agenda.admin.actions.offer import Offer
from django_agenda.models.error_group import ErrorGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Offer):
    """Hold one of the three: `state` is what it leads to, `done` what the log says."""

    right: str = "mark"
    state: str


RESOLVE = Mark(
    slug="resolve",
    state=ErrorGroup.State.RESOLVED.value,
    label=_("Resolve"),
    ask=_("Resolve this kind of error"),
    done=_("Resolved."),
    effect=_(
        "It is open again by itself when it occurs after this moment. What failed stays failed:"
        " retry it, or leave it."
    ),
)
IGNORE = Mark(
    slug="ignore",
    state=ErrorGroup.State.IGNORED.value,
    label=_("Ignore"),
    ask=_("Ignore this kind of error"),
    done=_("Ignored."),
    effect=_(
        "It stays ignored, however often it occurs, until somebody reopens it. It is still counted"
        " on its batches, and does not make them need attention."
    ),
)
REOPEN = Mark(
    slug="reopen",
    state=ErrorGroup.State.OPEN.value,
    label=_("Reopen"),
    ask=_("Reopen this kind of error"),
    done=_("Reopened."),
    effect=_("It is shown among what went wrong again."),
)
MARKS = (RESOLVE, IGNORE, REOPEN)


def fitting(state: str) -> list[Mark]:
    """Return what may be made of a kind of error in that state."""
    return [mark for mark in MARKS if mark.state != state]

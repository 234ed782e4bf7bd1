"""How far a body says that it is, in words."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from django_agenda.models.execution import Execution

from . import redaction, wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Hold a progress as it is shown; `share` is 0 to 1, and None when nobody knows."""

    words: str
    message: str
    share: float | None


def progress_of(execution: Execution) -> Shown | None:
    """Return what the body of its latest attempt has said, if it has said anything."""
    if execution.progress_done is None:
        return None
    return Shown(
        words=words_of(execution),
        message=redaction.text(execution.progress_message),
        share=execution.progress,
    )


def words_of(execution: Execution) -> str:
    """Return it as numbers: "37 of 100 (37 %)", "37", or nothing."""
    done, total = execution.progress_done, execution.progress_total
    if done is None:
        return ""
    if total is None:
        return wording.count(done)
    numbers = {"done": wording.count(done), "total": wording.count(total)}
    share = wording.percent(done, total) if total else "100 %"
    return f"{_('%(done)s of %(total)s') % numbers} ({share})"

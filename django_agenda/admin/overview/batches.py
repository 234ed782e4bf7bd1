"""Which batches need somebody to look at them, and why; and which ones are under way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import charts, redaction, states, wording
from django_agenda.admin.actions.buttons import Button
from django_agenda.admin.due_later import later_of, later_words
from django_agenda.admin.holds import Holds, struck_words
from django_agenda.admin.states import HELD, OUTCOMES, State
from django_agenda.conf import get_settings
from django_agenda.models.batch import Batch

from .repairs import Repairs
from .scope import Scope, end_of

SHOWN = 8
_LATE_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """Hold one batch as it is shown; `reasons` say why it needs attention, if it does.

    `repairs` are links to what puts that right.
    """

    name: str
    url: str
    state: State
    flags: list[State]
    bar: SafeString
    done: str
    window: SafeString | str
    distance: str
    reasons: list[tuple[State, str]]
    repairs: list[Button] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRows:
    """Hold the first rows of a table, and how many more there are."""

    rows: list[BatchRow]
    more: int


def batch_tables(
    scope: Scope,
    moment: datetime,
    url_of: Callable[[Batch], str],
    ignored: Mapping[tuple[int, str], int],
    holds: Holds,
    repairs: Repairs,
) -> tuple[BatchRows, BatchRows]:
    """Return those that need attention, the worst first, and the others that have not ended.

    `ignored` has, by batch and status, how many of its failures somebody resolved or ignored.
    """
    trouble: list[tuple[int, Batch, list[tuple[State, str]]]] = []
    others: list[Batch] = []
    for batch in scope.batches:
        found = _reasons(batch, moment, ignored, holds)
        if found:
            trouble.append((min(weight for weight, _state, _words in found), batch, _said(found)))
        elif not batch.is_finished:
            others.append(batch)
    trouble.sort(key=lambda one: (one[1].is_finished, one[0], -one[1].pk))
    others.sort(key=lambda batch: (max(batch.start, moment), batch.end))
    worst = [
        replace(row_of(batch, moment, url_of, reasons), repairs=repairs.of_batch(batch, holds))
        for _weight, batch, reasons in trouble[:SHOWN]
    ]
    next_ = [row_of(batch, moment, url_of, []) for batch in others[:SHOWN]]
    return (
        BatchRows(rows=worst, more=max(len(trouble) - SHOWN, 0)),
        BatchRows(rows=next_, more=max(len(others) - SHOWN, 0)),
    )


def _said(found: list[tuple[int, State, str]]) -> list[tuple[State, str]]:
    return [(state, words) for _weight, state, words in sorted(found, key=lambda one: one[0])]


def _reasons(
    batch: Batch, moment: datetime, ignored: Mapping[tuple[int, str], int], holds: Holds
) -> list[tuple[int, State, str]]:
    """Return (how bad, the least is the worst; the state that it is shown as; words)."""
    found = []
    if not batch.is_finished:
        found = [*_not_enqueued(batch, moment), *_late(batch, moment, holds), *_held(batch, holds)]
    if batch.paused_at and not batch.is_finished:
        when = wording.distance(batch.paused_at, moment)
        words = _("paused %(when)s") % {"when": when}
        if batch.pause_reason:
            words = f"{words}: {redaction.text(batch.pause_reason)}"
        found.append((3, states.BATCHES["paused"], words))
    for slug in ("failed", "missed"):
        many = getattr(batch, slug) - ignored.get((batch.pk, slug), 0)
        if many > 0:
            share = wording.percent(many, batch.total)
            words = f"{wording.count(many)} {OUTCOMES[slug].label} ({share})"
            found.append((4, OUTCOMES[slug], words))
    return found


def _not_enqueued(batch: Batch, moment: datetime) -> list[tuple[int, State, str]]:
    if batch.pending:
        words = _("%(count)s not enqueued") % {"count": wording.count(batch.pending)}
        error = wording.short_task(redaction.text(batch.enqueue_error).partition(":")[0])
        return [(1, OUTCOMES["pending"], f"{words}: {error}" if error else words)]
    grace = get_settings().ENQUEUE_GRACE
    left = batch.total - batch.told_until
    if left > 0 and not batch.paused_at and moment - batch.created_at > grace:
        words = _("enqueueing stopped with %(count)s left") % {"count": wording.count(left)}
        return [(1, OUTCOMES["pending"], words)]
    return []


def _late(batch: Batch, moment: datetime, holds: Holds) -> list[tuple[int, State, str]]:
    over, later = moment - end_of(batch), later_of(batch)
    left = batch.total - batch.done - holds.struck_of(batch.pk)
    if later is not None:
        # The plan is over, and tells nothing any more: what runs now may do so in time.
        left = later.overdue
    if batch.paused_at or over <= _LATE_AFTER or left <= 0:
        return []
    words = _("over for %(duration)s, %(count)s left") % {
        "duration": wording.duration(over.total_seconds() * 1000),
        "count": wording.count(left),
    }
    return [(2, states.DUE, words)]


def _held(batch: Batch, holds: Holds) -> list[tuple[int, State, str]]:
    """Say what of it is due and in a paused queue, and what strikes hold."""
    words = [_("queue %(name)s is paused") % {"name": name} for name in holds.queues_of(batch.pk)]
    if struck := holds.struck_of(batch.pk):
        words.append(struck_words(struck))
    return [(3, HELD, one) for one in words]


def row_of(
    batch: Batch,
    moment: datetime,
    url_of: Callable[[Batch], str],
    reasons: list[tuple[State, str]],
) -> BatchRow:
    """Return a batch as a row of a table."""
    counts = {slug: getattr(batch, slug) for slug in OUTCOMES}
    done = {"done": wording.count(batch.done), "total": wording.count(batch.total)}
    return BatchRow(
        name=batch.name or _("Batch %(number)s") % {"number": batch.pk},
        url=url_of(batch),
        state=states.of_batch(batch),
        flags=states.flags_of(batch),
        bar=charts.bar(counts, batch.total, wording.batch_sentence(batch)),
        done=_("%(done)s of %(total)s") % done,
        window=wording.time_tag(batch.start, moment, seconds=False),
        distance=_distance(batch, moment),
        reasons=reasons,
    )


def _distance(batch: Batch, moment: datetime) -> str:
    if batch.is_finished:
        ended = wording.distance(batch.finished_at or batch.created_at, moment)
        return _("ended %(when)s") % {"when": ended}
    if moment < batch.start:
        return _("starts %(when)s") % {"when": wording.distance(batch.start, moment)}
    if moment < end_of(batch):
        left = wording.duration((end_of(batch) - moment).total_seconds() * 1000)
        return _("%(duration)s left") % {"duration": left}
    return later_words(later_of(batch), moment) or _("window is over")

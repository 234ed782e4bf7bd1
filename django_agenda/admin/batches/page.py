"""What the page of a batch shows: status, outcome, timeline, numbers, failures, executions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import numbers, redaction, states, wording
from django_agenda.admin.actions.history import Deed, deeds
from django_agenda.admin.due_later import Later, later_words
from django_agenda.admin.execution_table import Table, read_table
from django_agenda.admin.holds import (
    NO_HOLDS,
    QUEUE_PAUSED,
    hold_banners,
    read_holds,
    struck_facts,
    struck_words,
)
from django_agenda.admin.lost import batch_words
from django_agenda.admin.obstacles import crew_at, no_redis, nobody
from django_agenda.admin.plan_end import plan_end, read_last
from django_agenda.admin.span import MILLISECOND, Span, moved, read_span, whole_span
from django_agenda.admin.states import State
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.operation import Operation

from . import outcome
from .buttons import BatchButtons, batch_buttons
from .definition import definition
from .failures import FailureRow, failure_rows
from .links import Links
from .operations import OperationRow, operation_rows
from .outlook import outlook_facts, read_backlog
from .subject import Subject, seen_digest
from .timeline import Timeline, build

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin


_LATELY_MS = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Hold one link that moves the view, and its key; without an address it cannot be moved."""

    label: str
    url: str
    symbol: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Hold everything that the template writes down."""

    batch: Batch
    sentence: str
    state: State
    flags: list[State]
    obstacles: list[SafeString | str]
    held: str
    later: str
    facts: list[tuple[str, SafeString | str]]
    scheduling: outcome.Stage
    running: outcome.Stage
    refusal: str
    refusal_error: str
    refused_at: SafeString | str
    timeline: Timeline
    span_words: str
    zone: str
    zone_offset: str
    steps: list[Step]
    status: str
    status_label: str
    all_statuses_url: str
    tiles: list[numbers.Tile]
    failures: list[FailureRow]
    more_failures: int
    table: Table | None
    all_url: str
    definition: list[tuple[str, Any]]
    buttons: BatchButtons
    deeds: list[Deed]
    operations: list[OperationRow]


def batch_page(
    admin: ActingAdmin, request: HttpRequest, batch: Batch, operations: list[Operation]
) -> Page:
    """Gather the page in a number of statements that does not depend on the executions."""
    moment = now()
    rows = admin.executions(request).filter(batch=batch)
    last = read_last(rows)
    last_ms = None if last is None else last.planned_ms
    end = plan_end(batch, last)
    whole = whole_span(batch, last_ms, moment)
    span = read_span(request.GET, whole)
    status = request.GET.get("status", "")
    status = status if status in states.OUTCOMES else ""
    links = Links(status=status, span=span)
    crew = crew_at(moment)
    holds = NO_HOLDS if batch.is_finished else read_holds(rows)
    done = deeds(batch, moment)
    executions_url = admin.seen_list_url(request, Execution)
    subject = Subject(
        batch=batch,
        rows=rows,
        span=span,
        now=moment,
        zoom_url=links.zoom,
        execution_url=admin.url_of if admin.can_see(request, Execution) else lambda _row: "",
        deeds=done,
        capacity=0 if batch.is_finished else crew.capacity,
        paused=holds.queues,
        end=end,
        counted=seen_digest(batch, rows),
    )
    timeline = build(subject)
    backlog = subject.recall("backlog", lambda: read_backlog(batch, rows, end, moment))
    buttons = batch_buttons(admin, request, batch)
    failures, more = failure_rows(admin, request, subject, buttons)
    return Page(
        batch=batch,
        sentence=wording.batch_sentence(batch),
        state=states.of_batch(batch),
        flags=[*states.flags_of(batch), *([QUEUE_PAUSED] if holds.by_queue else [])],
        obstacles=[
            *no_redis(),
            *nobody(crew),
            *hold_banners(admin, request, holds, moment, everywhere=False),
        ],
        held=struck_words(holds.struck),
        later=later_words(backlog, moment),
        facts=[
            *_facts(batch, end, backlog, moment),
            *outlook_facts(batch, backlog, last_ms or 0, end, moment),
            *subject.recall(
                f"lost {bool(executions_url)}", lambda: batch_words(batch, executions_url)
            ),
            *struck_facts(admin, request, batch, holds),
        ],
        scheduling=outcome.scheduling(batch, rows),
        running=outcome.running(batch, links.filter, status, holds.struck),
        refusal=_refusal(batch),
        refusal_error=redaction.text(batch.enqueue_error),
        refused_at=wording.time_tag(batch.enqueue_failed_at, moment, exact=True),
        timeline=timeline,
        span_words=_span_words(batch, timeline),
        zone=timezone.get_current_timezone_name(),
        zone_offset=_offset(batch, span),
        steps=[*_steps(span, whole, subject.now_ms, links), *_failures_only(batch, links)],
        status=status,
        status_label=str(states.OUTCOMES[status].label) if status else "",
        all_statuses_url=links.filter(""),
        tiles=numbers.tiles(span, timeline.count, timeline.times, timeline.peak),
        failures=failures,
        more_failures=more,
        table=read_table(admin, request, subject, timeline.histogram, links)
        if admin.can_see(request, Execution)
        else None,
        all_url=f"{executions_url}?batch__id__exact={batch.pk}" if executions_url else "",
        definition=definition(admin, request, batch),
        buttons=buttons,
        deeds=done,
        operations=operation_rows(admin, operations, moment),
    )


def _facts(
    batch: Batch, end: datetime, backlog: Later | None, moment: datetime
) -> list[tuple[str, SafeString | str]]:
    # Where nothing is overdue, what is due later is not late either.
    until = backlog.last if backlog and backlog.many and not backlog.overdue else end
    facts: list[tuple[str, SafeString | str]] = [
        (_("From"), wording.time_tag(batch.start, moment)),
        (_("To"), wording.time_tag(end, moment)),
        (_("Over"), wording.duration(batch.over.total_seconds() * 1000)),
    ]
    if batch.is_finished:
        finished = batch.finished_at or batch.created_at
        facts.append((_("Finished"), wording.time_tag(finished, moment)))
    elif moment < batch.start:
        facts.append((_("Starts"), wording.distance(batch.start, moment)))
    elif moment < until:
        left = wording.duration((until - moment).total_seconds() * 1000)
        facts.append((_("Left"), left))
    else:
        late = wording.duration((moment - end).total_seconds() * 1000)
        facts.append((_("Over for"), late))
    if batch.paused_at:
        facts.append((_("Paused"), wording.time_tag(batch.paused_at, moment)))
    return facts


def _refusal(batch: Batch) -> str:
    if not batch.enqueue_error and not batch.pending:
        return ""
    numbers_ = {
        "enqueued": wording.count(outcome.scheduling_counts(batch)["enqueued"]),
        "total": wording.count(batch.total),
    }
    if batch.pending:
        return _("Enqueueing stopped at %(enqueued)s of %(total)s") % numbers_
    return _("Enqueueing stopped once, and went on later")


def _span_words(batch: Batch, timeline: Timeline) -> str:
    """Say from when to when the drawing goes: it may reach further than what it is asked for."""
    lo, hi = int(timeline.drawing.lo), int(timeline.drawing.hi)
    begin, end = (wording.on_the_clock(batch.start + place * MILLISECOND) for place in (lo, hi))
    exact = "H:i:s" if hi - lo < 600_000 or begin.second or end.second else "H:i"
    first, last = (format_date(moment, exact) for moment in (begin, end))
    first = f"{format_date(begin, wording.full_date())}, {first}"
    if begin.date() != end.date():
        last = f"{format_date(end, wording.short_date())}, {last}"
    if hi - lo < 1000:
        first, last = (
            f"{words}.{moment.microsecond // 1000:03d}"
            for words, moment in ((first, begin), (last, end))
        )
    return f"{first} – {last}"


def _failures_only(batch: Batch, links: Links) -> list[Step]:
    if not batch.failed or links.status == "failed":
        return []
    return [Step(label=_("Failures only"), url=links.filter("failed"))]


def _offset(batch: Batch, span: Span) -> str:
    """Say how far the clock of the timeline is from UTC, at its two ends: it may be changed."""
    ends = (batch.start + offset * MILLISECOND for offset in (span.lo_ms, span.hi_ms))
    found = dict.fromkeys(format_date(wording.on_the_clock(end), "O") for end in ends)
    return " – ".join(f"UTC{offset}" for offset in found)


def _between(lo_ms: int, hi_ms: int, whole: Span) -> Span:
    return read_span({"from": str(lo_ms), "to": str(hi_ms)}, whole)


def _steps(span: Span, whole: Span, now_ms: int, links: Links) -> list[Step]:
    if span.whole and whole.length_ms < 400:
        return []
    ways = [
        (_("Earlier"), "‹", "ArrowLeft", moved(span, whole, by=-0.5)),
        (_("Later"), "›", "ArrowRight", moved(span, whole, by=0.5)),
        (_("Closer"), "+", "+", moved(span, whole, scale=0.5)),
        (_("Wider"), "−", "-", moved(span, whole, scale=2)),
    ]
    steps = [
        Step(label=label, symbol=symbol, key=key, url=links.zoom(to) + "#timeline" if to else "")
        for label, symbol, key, to in ways
    ]
    if whole.lo_ms < now_ms < whole.hi_ms:
        reach = max(whole.length_ms // 20, 1)
        around = _between(now_ms - reach, now_ms + reach, whole)
        steps.append(Step(label=_("Around now"), url=links.zoom(around) + "#timeline"))
        if now_ms - whole.lo_ms > 2 * _LATELY_MS:
            lately = _between(now_ms - _LATELY_MS, now_ms, whole)
            steps.append(Step(label=_("Last 15 min"), url=links.zoom(lately) + "#timeline"))
    if not span.whole:
        url = links.zoom(whole) + "#timeline"
        steps.append(Step(label=_("Whole window"), key="Escape", url=url))
    return steps

"""Fragments of pages for the script that asks again: cheap when nothing has changed.

The script sends the tag of what it shows. The same tag is answered with 304 and without rendering,
after the same checks of permissions as the page itself. The answer says when to ask next: later
when rendering is expensive, never (0) when nothing will change any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language

from django_agenda.clock import monotonic, now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.operation import Operation

from .span import MILLISECOND, Span, read_span

FRAME = "admin/django_agenda/fragment.html"
NEXT = "X-Agenda-Next"
SOON, PAUSED = 2, 10
_LONG_BEFORE = 30
_SLOWEST = 60
# What it scheduled, and words about time, are shown this many seconds late at most.
_LATEST = 10
_COST_FACTOR = 20
# The now-line and the words about time may lag behind by so much: a pixel or two, never long.
_STEPS_OF_SPAN = 400
_SHORTEST_STEP, _LONGEST_STEP = timedelta(seconds=5), timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Say where the fragment of a page is, what the page shows, and when to ask: in seconds.

    `choices` are the intervals that a reader may choose from; 0 is never.
    """

    url: str
    tag: str
    next_s: int

    choices: tuple[int, ...] = (2, 5, 15, 30, 60, 0)


def answer(request: HttpRequest, tag: str, next_s: int, render: Callable[[], str]) -> HttpResponse:
    """Answer 304 when the script has what there is, else the fragment."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    same = get_conditional_response(request, etag=tag)
    if same is not None:
        same["ETag"], same[NEXT] = tag, str(next_s)
        return same
    begin = monotonic()
    response = HttpResponse(render())
    cost = monotonic() - begin
    response["ETag"] = tag
    response[NEXT] = str(min(max(next_s, round(cost * _COST_FACTOR)), _SLOWEST) if next_s else 0)
    return response


def batch_tag(
    request: HttpRequest, batch: Batch, moment: datetime, operations: Sequence[Operation] = ()
) -> str:
    """Return what changes when the page of a batch would; an ended one changes with itself only."""
    span = read_span(request.GET, Span(0, max(batch.over // MILLISECOND, 1)))
    step = min(max(span.length_ms // _STEPS_OF_SPAN * MILLISECOND, _SHORTEST_STEP), _LONGEST_STEP)
    tick = None if batch.is_finished else (moment - batch.start) // step
    counts = [getattr(batch, name) for name in Batch.COUNTS]
    marks = (batch.paused_at, batch.finished_at, batch.over, batch.enqueued, batch.told_until)
    deeds = [operation_mark(one) for one in operations]
    return make_tag(request, batch.pk, batch.version, *counts, *marks, tick, deeds)


def operation_mark(row: Operation) -> tuple[object, ...]:
    """Return what changes when an operation is shown differently."""
    return row.pk, row.done, row.skipped, row.failed, row.status, row.abort_requested_at


def tick() -> int:
    """Return what changes when words about time are to be written anew."""
    return int(now().timestamp()) // _LATEST


def before(due_at: datetime, moment: datetime) -> int:
    """Return after how many seconds to look again at what is due at some time."""
    ahead = (due_at - moment).total_seconds() / 2
    return round(min(max(ahead, SOON), _LONG_BEFORE))


def make_tag(request: HttpRequest, *parts: object) -> str:
    """Return a tag of these values for this user, address and language."""
    known = (*parts, request.user.pk, request.GET.urlencode(), get_language())
    return f'"{blake2b(repr(known).encode(), digest_size=9).hexdigest()}"'


def batch_next(batch: Batch, moment: datetime, operations: Sequence[Operation] = ()) -> int:
    """Return after how many seconds a batch may look different, with what is done to it."""
    if any(one.is_open for one in operations):
        return SOON
    if batch.is_finished:
        return 0
    if batch.paused_at:
        return PAUSED
    return before(batch.start, moment)


def execution_tag(request: HttpRequest, execution: Execution) -> str:
    """Return what changes when the page of an execution would, as long as it has not ended."""
    reached = ("progress_done", "progress_total", "progress_message")
    marks = ("status", "attempts", "held_by", "due_at", "started_at", "finished_at")
    seen = [getattr(execution, name) for name in (*marks, *reached, "cancel_requested_at")]
    return make_tag(request, execution.pk, *seen, None if execution.finished_at else tick())


def execution_next(execution: Execution, moment: datetime) -> int:
    """Return after how many seconds an execution may look different."""
    if execution.finished_at is not None:
        return 0
    if execution.status == Execution.Status.RUNNING:
        return SOON
    if execution.held_by:
        return PAUSED
    return before(execution.due_at, moment)

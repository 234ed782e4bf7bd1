"""What the page of a schedule shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_agenda.admin import redaction, states, wording
from django_agenda.admin.actions.buttons import Button, button, fitting
from django_agenda.admin.actions.history import Deed, deeds
from django_agenda.admin.actions.of_schedules import DISABLED, ENABLED, OF_SCHEDULES
from django_agenda.admin.execution_table import may_see_payload
from django_agenda.admin.states import State
from django_agenda.clock import now
from django_agenda.models.execution import Execution
from django_agenda.models.rule_words import length_in_words
from django_agenda.models.schedule import Schedule
from django_agenda.timing.cron import read_zone

from .ticks import is_overdue, overdue_words, unfired_words, upcoming

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin

BROKEN = State("failed", gettext_lazy("broken"))
OVERDUE = State("failed", gettext_lazy("overdue"))
ENDED = State("cancelled", gettext_lazy("ended"))
_TIMES, _RUNS = 10, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """Hold one tick to come: on the clock of the rule, the change of that clock, how far."""

    local: str
    tag: SafeString | str
    away: str
    shift: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Hold one run as it is shown."""

    url: str
    badge: SafeString
    tick: SafeString | str
    unfired: str
    lag: str
    took: str
    held_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Hold everything that the template writes down."""

    schedule: Schedule
    state: State
    why: str
    words: str
    facts: list[tuple[str, Any]]
    zone: str
    times: list[Time]
    runs: list[Run] | None
    payload: tuple[str, str] | None
    buttons: list[Button]
    deeds: list[Deed]


def state_of(schedule: Schedule, moment: datetime) -> tuple[State, str]:
    """Return whether it ticks, and why not."""
    if schedule.enabled:
        if trouble := schedule.trouble:
            return BROKEN, trouble
        late = overdue_words(schedule, moment)
        return (OVERDUE, late) if late else (ENABLED, "")
    return (ENDED if schedule.ended_at is not None else DISABLED), schedule.disabled_by


def schedule_page(admin: ActingAdmin, request: HttpRequest, schedule: Schedule) -> Page:
    """Gather what a user may see of a schedule."""
    moment = now()
    state, why = state_of(schedule, moment)
    allowed = fitting(admin, request, schedule, OF_SCHEDULES)
    return Page(
        schedule=schedule,
        state=state,
        why=why,
        words=schedule.describe(),
        facts=_facts(schedule, moment),
        zone=_zone(schedule)[0],
        times=next_ticks(schedule, moment),
        runs=_runs(admin, request, schedule, moment) if admin.can_see(request, Execution) else None,
        payload=redaction.arguments(schedule) if may_see_payload(request) else None,
        buttons=[button(admin, schedule, action) for action in allowed],
        deeds=deeds(schedule, moment),
    )


def _zone(schedule: Schedule) -> tuple[str, tzinfo]:
    """Return the zone of the rule, or else that of the user."""
    try:
        return schedule.timezone, read_zone(schedule.timezone)
    except ValueError:
        return timezone.get_current_timezone_name(), timezone.get_current_timezone()


def next_ticks(schedule: Schedule, moment: datetime) -> list[Time]:
    """Return the next ticks; where the clock of the rule is changed before one, it says so."""
    try:
        ticks = upcoming(schedule, _TIMES, moment)
    except ValueError:
        return []
    zone = _zone(schedule)[1]
    found = []
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    for tick in ticks:
        local = wording.on_the_clock(tick, zone)
        before, offset = offset, local.utcoffset() or timedelta()
        found.append(
            Time(
                local=f"{format_date(local, wording.full_date())}, {format_date(local, 'H:i:s')}",
                tag=wording.time_tag(tick, moment),
                away=wording.distance(tick, moment),
                shift=_shift(offset - before),
            )
        )
    return found


def _shift(change: timedelta) -> str:
    if not change:
        return ""
    text = _("clocks go forward %(by)s") if change > timedelta() else _("clocks go back %(by)s")
    return text % {"by": wording.duration(abs(change) / timedelta(milliseconds=1))}


def _runs(
    admin: ActingAdmin, request: HttpRequest, schedule: Schedule, moment: datetime
) -> list[Run]:
    seen = admin.executions(request).filter(schedule=schedule)
    runs = seen.defer("args", "kwargs", "return_value")
    # Each part in the order of an index; runs by hand have no tick.
    ticks = runs.filter(tick_at__isnull=False).order_by("-tick_at")[:_RUNS]
    by_hand = runs.filter(tick_at__isnull=True).order_by("-pk")[:_RUNS]
    newest = sorted((*ticks, *by_hand), key=lambda run: run.due_at, reverse=True)
    ticked = [run.tick_at for run in newest[:_RUNS] if run.tick_at is not None]
    unfired = {tick: unfired_words(schedule, before, tick) for tick, before in pairwise(ticked)}
    return [
        Run(
            url=admin.url_of(run),
            badge=states.of_execution(run, moment).badge,
            tick=wording.time_tag(run.tick_at, moment) or _("run now"),
            unfired="" if run.tick_at is None else unfired.get(run.tick_at, ""),
            lag="–" if run.lag_ms is None else f"+{wording.duration(run.lag_ms)}",
            took="–" if run.run_ms is None else wording.duration(run.run_ms),
            held_by=states.why_held(run.held_by),
        )
        for run in newest[:_RUNS]
    ]


def _facts(schedule: Schedule, moment: datetime) -> list[tuple[str, Any]]:
    try:
        terms = schedule.terms or {}
        over, timeout = _length(terms.get("over")), _length(terms.get("timeout"))
    except ValueError:
        over = timeout = redaction.unreadable()
    found: list[tuple[str, Any]] = [
        (_("Task"), schedule.task_name),
        (_("Expression"), schedule.expression),
        (_("Time zone"), schedule.timezone),
        (
            _("Overdue since") if is_overdue(schedule, moment) else _("Next run"),
            wording.time_tag(schedule.next_at, moment),
        ),
        (_("Last planned run"), wording.time_tag(schedule.last_at, moment)),
        (_("Runs"), wording.count(schedule.runs)),
        (_("Skipped runs"), wording.count(schedule.skips) if schedule.skips else ""),
        (_("If a run is alive"), schedule.get_overlap_display()),
        (_("Missed runs"), schedule.get_misfire_display()),
        (_("Scattered over"), over),
        (_("Jitter"), _length(schedule.jitter)),
        (_("Time-out"), timeout),
        (_("Queue"), schedule.queue_name),
        (_("Priority"), schedule.priority),
        (_("Attempts"), schedule.max_attempts),
        (_("Labels"), ", ".join(schedule.labels)),
        (_("Declared in code"), _("yes") if schedule.is_declared else ""),
        (_("Made"), wording.time_tag(schedule.created_at.astimezone(UTC), moment)),
        (_("Ended"), wording.time_tag(schedule.ended_at, moment)),
    ]
    return [(name, value) for name, value in found if value not in (None, "")]


def _length(value: timedelta | None) -> str:
    return "" if value is None else length_in_words(value)

"""Gather queues and health: one value for the template, a fixed number of statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import router
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from django_agenda.admin import wording
from django_agenda.admin.acting import may_do
from django_agenda.admin.actions.buttons import Button
from django_agenda.admin.actions.history import Deed, deeds_of
from django_agenda.admin.numbers import Figure, Tile
from django_agenda.admin.span import MILLISECOND
from django_agenda.admin.states import State
from django_agenda.clock import now
from django_agenda.models.execution import Execution
from django_agenda.models.queue import Queue
from django_agenda.scheduling.health import BEHIND, WELL, Finding, Limits, examine
from django_agenda.scheduling.survey import QueueState, Survey, survey

from .asks import PAUSE, RESUME

if TYPE_CHECKING:
    from .view import QueueAdmin

OPEN = State("succeeded", pgettext_lazy("of a queue", "open"))
PAUSED = State("paused", gettext_lazy("paused"))
_LEVELS = {
    WELL: State("succeeded", pgettext_lazy("of a check", "well")),
    BEHIND: State("missed", pgettext_lazy("of a check", "needs attention")),
}
_BROKEN = State("failed", pgettext_lazy("of a check", "broken"))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """Hold one queue as it is shown."""

    name: str
    state: State
    due: str
    oldest: str
    waiting: str
    held: str
    in_redis: str
    button: Button | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Hold everything that the template writes down; `signs` are words and counts of drift."""

    sentence: str
    broker_error: str
    tiles: list[Tile]
    queues: list[QueueRow]
    findings: list[tuple[State, Finding]]
    signs: list[tuple[str, str]]
    repair: str
    deeds: list[Deed]


def queues_page(admin: QueueAdmin, request: HttpRequest) -> Page:
    """Read what there is; the findings are those of agenda_health."""
    using = router.db_for_read(Execution)
    found = survey(using)
    controls = may_do(request, "control_batch")
    findings = [(_LEVELS.get(one.level, _BROKEN), _said(one)) for one in examine(using, Limits())]
    return Page(
        sentence=_sentence(found),
        broker_error=found.broker_error,
        tiles=_tiles(found),
        queues=[_row(admin, one, controls=controls) for one in found.queues],
        findings=findings,
        signs=_signs(found),
        repair=admin.repair_url() if may_do(request, "repair_agenda") else "",
        deeds=deeds_of(Queue, now()),
    )


def _said(finding: Finding) -> Finding:
    """Say how long something has waited as everywhere in the admin."""
    if finding.waited is None:
        return finding
    words = _("the oldest that is due has waited %(duration)s")
    waited = wording.duration(finding.waited / MILLISECOND)
    return finding._replace(words=words % {"duration": waited})


def _sentence(found: Survey) -> str:
    waiting = sum(one.waiting for one in found.queues)
    parts = [
        ngettext("%(count)s queue", "%(count)s queues", len(found.queues))
        % {"count": wording.count(len(found.queues))},
        _("%(count)s waiting") % {"count": wording.count(waiting)},
        _("%(count)s due") % {"count": wording.count(found.due)},
    ]
    paused = sum(one.is_paused for one in found.queues)
    if paused:
        words = ngettext("%(count)s queue is paused", "%(count)s queues are paused", paused)
        parts.append(words % {"count": wording.count(paused)})
    return ", ".join(parts)


def _tiles(found: Survey) -> list[Tile]:
    held = None if found.broker_error else sum(one.in_redis or 0 for one in found.queues)
    memory = "–" if found.redis_memory is None else filesizeformat(found.redis_memory)
    return [
        Tile(
            title=_("Database"),
            hint=_("what was asked for and has not ended"),
            figures=[
                Figure(name=_("due"), value=wording.count(found.due)),
                Figure(name=_("oldest"), value=_seconds(found.oldest_due_s)),
                Figure(name=_("held"), value=wording.count(found.held)),
                Figure(name=_("claimed"), value=wording.count(found.running)),
            ],
        ),
        Tile(
            title="Redis",
            hint=_("what it holds of that; its memory is that of everything in it"),
            figures=[
                Figure(name=_("enqueued"), value="–" if held is None else wording.count(held)),
                Figure(name=_("memory"), value=memory),
            ],
        ),
    ]


def _row(admin: QueueAdmin, queue: QueueState, *, controls: bool) -> QueueRow:
    button = None
    if controls:
        ask = RESUME if queue.is_paused else PAUSE
        label = _("%(action)s …") % {"action": ask.label}
        button = Button(label=label, url=admin.action_url(Queue(pk=queue.name), ask))
    return QueueRow(
        name=queue.name,
        state=PAUSED if queue.is_paused else OPEN,
        due=wording.count(queue.due),
        oldest=_seconds(queue.oldest_due_s),
        waiting=wording.count(queue.waiting),
        held=wording.count(queue.held),
        in_redis="–" if queue.in_redis is None else wording.count(queue.in_redis),
        button=button,
    )


def _signs(found: Survey) -> list[tuple[str, str]]:
    drift = found.drift
    missing = "–" if drift.overdue_missing is None else wording.count(drift.overdue_missing)
    return [
        (_("overdue executions that Redis does not hold"), missing),
        (_("batches that Redis was not wholly told of"), wording.count(drift.untold_batches)),
        (_("executions that run under no living worker"), wording.count(drift.orphans)),
    ]


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else wording.duration(seconds * 1000)

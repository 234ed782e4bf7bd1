"""Gather the overview: one value for the template, a fixed number of statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.admin import AdminSite
from django.db import router
from django.db.models import Count, Min, Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_agenda.admin import states, wording
from django_agenda.admin.due_later import hang_later
from django_agenda.admin.holds import hold_banners, read_holds
from django_agenda.admin.numbers import Figure, Tile, within
from django_agenda.admin.obstacles import no_redis, nobody
from django_agenda.admin.span import MILLISECOND
from django_agenda.admin.timeline.strip import Strip
from django_agenda.admin.units import MINUTES
from django_agenda.admin.workers.hands import Hands, lost_words, words_of
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.schedule import Schedule
from django_agenda.models.worker import Worker
from django_agenda.scheduling.health import Finding, Limits, examine

from .batches import BatchRows, batch_tables
from .errors import ErrorRows, read_closed, read_errors
from .load import Load, peak_words, read_lateness, read_load
from .repairs import Repairs
from .schedules import ScheduleRows, silent_schedules
from .scope import Scope, read_scope
from .workers import WorkerRows, read_workers

if TYPE_CHECKING:
    from django_agenda.admin.read_only import ReadOnlyAdmin

_ALWAYS = ("succeeded", "failed", "missed")
_FIRST_CHECKS = ("database", "redis", "migrations", "workers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Hold everything that the template writes down; a table is None without the right to see it.

    `findings` are those of a first start, when there is nothing else to show.
    """

    sentence: str
    zone: str
    clock: str
    warnings: list[SafeString | str]
    tiles: list[Tile]
    strip: Strip | None
    is_capped: bool
    trouble: BatchRows | None
    others: BatchRows | None
    silent: ScheduleRows | None
    errors: ErrorRows | None
    workers: WorkerRows | None
    is_new: bool
    findings: list[Finding]


def overview_page(admin: ReadOnlyAdmin, request: HttpRequest) -> Page:
    """Read what this user may see."""
    moment = now()
    site = admin.admin_site
    rows = seen_rows(site, request, Execution)
    scope = read_scope(seen_rows(site, request, Batch), moment)
    load = read_load(rows, scope, moment)
    due, oldest, claimed = _at_work(rows, moment)
    workers = read_workers(seen_rows(site, request, Worker), claimed, moment, admin.url_of)
    is_new = not scope.batches and load.is_empty and not _has_history(rows)
    ignored = read_closed(rows, scope)
    holds = read_holds(rows, until=moment)
    no_broker = no_redis()
    repairs = Repairs(admin=admin, request=request, has_redis=not no_broker)
    hang_later(rows, scope.over(moment), moment)
    trouble, others = batch_tables(scope, moment, admin.url_of, ignored, holds, repairs)
    sees_batches, sees_workers = admin.can_see(request, Batch), admin.can_see(request, Worker)
    return Page(
        sentence=_sentence(load, workers.hands, trouble),
        zone=timezone.get_current_timezone_name(),
        clock=wording.clock_time(moment, moment),
        warnings=[
            *no_broker,
            *nobody(workers.crew, due),
            *(workers.silent if sees_workers else ()),
            *hold_banners(admin, request, holds, moment),
        ],
        tiles=_tiles(load, rows, scope, moment, (due, oldest), workers),
        strip=None if load.is_empty else load.drawing(),
        is_capped=scope.more,
        trouble=trouble if sees_batches else None,
        others=others if sees_batches else None,
        silent=silent_schedules(
            seen_rows(site, request, Schedule),
            moment,
            admin.url_of,
            works=workers.crew.at_work > 0,
        )
        if admin.can_see(request, Schedule)
        else None,
        errors=read_errors(rows, scope, moment, repairs)
        if admin.can_see(request, Execution)
        else None,
        workers=workers if sees_workers else None,
        is_new=is_new,
        findings=_findings() if is_new else [],
    )


def seen_rows(site: AdminSite, request: HttpRequest, model: type[Model]) -> QuerySet[Any]:
    """Return the rows of a model, as far as this admin site lets this user see them."""
    rows: QuerySet[Any] = model._default_manager.all()
    if site.is_registered(model):
        rows = site.get_model_admin(model).get_queryset(request)
    return rows.order_by()


def _at_work(
    rows: QuerySet[Execution], moment: datetime
) -> tuple[int, datetime | None, dict[object, int]]:
    """Return how many are due and wait, since when, and how many each worker has claimed."""
    live = rows.filter(finished_at=None)
    waiting = live.filter(status__in=Execution.WAITING, due_at__lte=moment, held_by="")
    found = waiting.aggregate(due=Count("pk"), oldest=Min("due_at"))
    # A statement of its own: in one with the other SQLite reads everything that waits.
    running = live.filter(status=Execution.Status.RUNNING).order_by()
    claimed = running.values_list("claimed_by").annotate(count=Count("*"))
    return found["due"], found["oldest"], dict(claimed)


def _has_history(rows: QuerySet[Execution]) -> bool:
    return Batch.objects.exists() or rows.exists()


def _findings() -> list[Finding]:
    found = examine(router.db_for_read(Batch), Limits())
    return [one for one in found if one.check in _FIRST_CHECKS]


def _sentence(load: Load, hands: Hands, trouble: BatchRows) -> str:
    planned = sum(load.ahead)
    parts = [
        _("%(count)s running") % {"count": wording.count(hands.running)},
        *([lost_words(hands.lost)] if hands.lost else []),
        _("%(count)s planned in the next hour") % {"count": wording.count(planned)},
    ]
    many = len(trouble.rows) + trouble.more
    if many:
        words = ngettext(
            "%(count)s batch needs attention", "%(count)s batches need attention", many
        )
        parts.append(words % {"count": wording.count(many)})
    return ", ".join(parts)


def _tiles(
    load: Load,
    rows: QuerySet[Execution],
    scope: Scope,
    moment: datetime,
    at_work: tuple[int, datetime | None],
    workers: WorkerRows,
) -> list[Tile]:
    (due, oldest), hands = at_work, workers.hands
    late = read_lateness(rows, scope, moment)
    waited = "–" if oldest is None else wording.duration((moment - oldest) / MILLISECOND)
    return [
        _tile(
            _("Now"),
            _("what waits although it is due, and what runs"),
            (_("due"), wording.count(due)),
            (_("oldest"), waited),
            (_("running"), words_of(Hands(hands.running), workers.slots)),
            *([(_("at hand"), wording.count(hands.at_hand))] if hands.at_hand else []),
            *([(_("with lost workers"), wording.count(hands.lost))] if hands.lost else []),
        ),
        _tile(
            _("Last hour"),
            _("what was planned in it, and how it ended"),
            *_behind(load),
            (_("peak"), _a_minute(load.ended)),
        ),
        _tile(
            _("Next hour"),
            peak_words(load),
            (_("planned"), wording.count(sum(load.ahead))),
            (_("peak"), _a_minute(load.ahead)),
        ),
        _tile(
            _("Lateness, last 15 min"),
            _("of what was due in the last 15 minutes, from the due moment to the start"),
            *((within(share), _duration(late.quantile(share / 100))) for share in (50, 95)),
        ),
    ]


def _behind(load: Load) -> list[tuple[str, str]]:
    """Return figures that add up to what was planned in the last hour."""
    found = [(slug, load.behind(slug)) for slug in states.OUTCOMES if slug in Batch.ENDED]
    shown = [
        (str(states.OUTCOMES[slug].label), wording.count(many))
        for slug, many in found
        if many or slug in _ALWAYS
    ]
    return [*shown, *([(_("not ended yet"), wording.count(load.open))] if load.open else [])]


def _a_minute(counts: Sequence[int]) -> str:
    return f"{wording.count(max(counts))} / {MINUTES}"


def _tile(title: str, hint: str, *figures: tuple[str, str]) -> Tile:
    found = [Figure(name=name, value=value) for name, value in figures]
    return Tile(title=title, hint=hint, figures=found)


def _duration(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else wording.duration(milliseconds)

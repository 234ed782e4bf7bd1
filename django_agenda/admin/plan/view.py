"""The page that plans a new batch, and the scatter that ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from django_agenda.admin import wording
from django_agenda.admin.span import MILLISECOND
from django_agenda.agenda import Agenda
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.tasks.registry import registered
from django_agenda.timing.window import Window

from .doubts import doubts, measured
from .fixed import Fixed, fix, read, sign
from .form import PlanForm
from .plan import Plan
from .preview import Preview, draw, ends, figures

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin

_TEMPLATE = "admin/django_agenda/plan/page.html"


def plan_view(admin: ActingAdmin, request: HttpRequest) -> HttpResponse:
    """Ask for a plan, show what it would be, or scatter what was shown."""
    if not admin.has_add_permission(request):
        raise PermissionDenied
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    if request.method != "POST":
        return _page(admin, request, PlanForm(request))
    form = PlanForm(request, request.POST)
    if not form.is_valid():
        return _page(admin, request, form)
    is_confirmed = "confirm" in request.POST
    seen = read(request, form) if is_confirmed else None
    try:
        if seen is not None:
            return _scatter(admin, request, form, seen)
        preview = _preview(admin, request, form, is_stale=is_confirmed)
    except ValueError as error:
        form.add_error(None, str(error))
        return _page(admin, request, form)
    return _page(admin, request, form, preview)


def _preview(
    admin: ActingAdmin, request: HttpRequest, form: PlanForm, *, is_stale: bool
) -> Preview:
    moment, fixed = now(), fix(form)
    options = fixed.options(form)
    plan = Plan(
        window=Window(start=fixed.start, over=options["over"]),
        moments=Agenda(form.calls).preview(**options),
        queue_name=form.cleaned_data["task"].queue_name,
        seed=fixed.seed,
    )
    rows, batches = admin.executions(request), admin.get_queryset(request)
    busiest = measured(rows, batches, moment)
    strip, has_now, width = draw(plan, moment)
    first, last, left_out = ends(plan, moment)
    return Preview(
        strip=strip,
        has_now=has_now,
        slice_length=wording.duration(width),
        zone=timezone.get_current_timezone_name(),
        figures=figures(plan, busiest),
        first=first,
        last=last,
        left_out=left_out,
        doubts=doubts(plan, rows, batches, busiest, moment),
        is_stale=is_stale,
        token=sign(request, form, fixed),
        many=len(plan.moments),
    )


def _scatter(
    admin: ActingAdmin, request: HttpRequest, form: PlanForm, fixed: Fixed
) -> HttpResponse:
    """Scatter what was shown, once, and write down who did it, in one transaction."""
    found, options = form.cleaned_data, fixed.options(form)
    named = {name: found[name] for name in ("name", "key", "labels")}
    users: Any = get_user_model()
    with (
        transaction.atomic(using=router.db_for_write(users)),
        transaction.atomic(using=router.db_for_write(Batch)),
    ):
        # Of two clicks the second waits for the first, and then finds what that has made.
        users._default_manager.select_for_update().filter(pk=request.user.pk).first()
        if (made := _made_before(form, fixed)) is not None:
            words = _("This was scattered already: nothing was added.")
            admin.message_user(request, words, messages.WARNING)
            return HttpResponseRedirect(admin.url_of(made))
        batch = Agenda(form.calls).scatter(**options, **named)
        if (batch.start, batch.seed) != (fixed.start, fixed.seed):
            raise ValueError(_("A living batch has this key: nothing was added."))
        _write_down(request, batch, form)
    batch.refresh_from_db()
    words = _("Scattered: %(description)s.") % {"description": wording.batch_sentence(batch)}
    admin.message_user(request, words, messages.SUCCESS)
    return HttpResponseRedirect(admin.url_of(batch))


def _made_before(form: PlanForm, fixed: Fixed) -> Batch | None:
    """Return what this preview has made; only one that chose a start or a seed is known by them."""
    found = form.cleaned_data
    if found["start"] is not None and found["seed"] is not None:
        return None
    return Batch.objects.filter(start=fixed.start, seed=fixed.seed).first()


def _write_down(request: HttpRequest, batch: Batch, form: PlanForm) -> None:
    user_id: Any = request.user.pk
    with override(None):
        over = wording.duration(form.cleaned_data["over"] // MILLISECOND)
        task = form.cleaned_data["task"].name
        words = f"Scattered {wording.count(len(form.calls))} calls of {task} over {over}."
    LogEntry.objects.log_actions(user_id, [batch], ADDITION, words)


def _page(
    admin: ActingAdmin, request: HttpRequest, form: PlanForm, preview: Preview | None = None
) -> HttpResponse:
    shown = {
        **admin.frame(request, _("New batch")),
        "title": _("New batch"),
        "add": True,
        "change": False,
        "form": form,
        "preview": preview,
        "tasks": sorted(registered()),
        "back": admin.list_url(Batch),
    }
    return TemplateResponse(request, _TEMPLATE, shown)

"""Make an operation of what is too much for one request; a worker carries it out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db import router, transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy, override

from django_agenda.admin import wording
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.operation import Operation, OperationPart
from django_agenda.scheduling.change import collect
from django_agenda.scheduling.single import schedule

from .action import Action, in_numbers
from .carry import carry_on
from .errand import Errand, Survey
from .forms import Wish
from .history import ONE_BY_ONE, named, write_down, write_down_on

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin

_CHOSEN = ngettext_lazy("%(count)s chosen", "%(count)s chosen", "number")
_PARTS_AT_ONCE = 50


def is_large(errand: Errand, survey: Survey) -> bool:
    """Tell whether a worker should do it: it is about very many executions, and stops nothing."""
    is_about_executions = errand.subjects.model in (Batch, Execution)
    return is_about_executions and survey.count > ONE_BY_ONE and not errand.action.is_brake


def begin(
    admin: ActingAdmin, request: HttpRequest, errand: Errand, form: Wish, survey: Survey
) -> HttpResponse:
    """Write down what is to be done to which targets, enqueue it, and lead to its page."""
    using = router.db_for_write(Operation)
    with transaction.atomic(using):
        operation = _operation(request, errand, form, survey)
        operation.save(using=using)
        total = 0
        parts: list[OperationPart] = []
        for number, part in enumerate(_parts(errand)):
            part.operation, part.number = operation, number
            total += part.count
            parts.append(part)
            if len(parts) == _PARTS_AT_ONCE:
                OperationPart.objects.using(using).bulk_create(parts)
                parts = []
        OperationPart.objects.using(using).bulk_create(parts)
        operation.total = total
        execution = schedule(carry_on, key=f"agenda-operation-{operation.pk}")(operation.pk)
        operation.execution_id = execution.pk
        operation.save(using=using)
        _write_down(request, errand, operation, form)
    words = _("Operation %(number)s was begun: %(what)s.")
    said = words % {"number": operation.pk, "what": title_of(errand.action, operation.total)}
    admin.message_user(request, said, messages.SUCCESS)
    can_see = admin.can_see(request, Operation)
    return HttpResponseRedirect(admin.url_of(operation) if can_see else _back(admin, errand))


def title_of(action: Action, total: int) -> str:
    """Return what an operation is about, with its number of targets."""
    return in_numbers(action.ask, total, wording.count(total))


def _back(admin: ActingAdmin, errand: Errand) -> str:
    return admin.url_of(errand.row) if errand.row else admin.list_url(admin.model)


def _operation(request: HttpRequest, errand: Errand, form: Wish, survey: Survey) -> Operation:
    model = errand.subjects.model
    subjects = errand.subjects.filter(errand.action.fits()).order_by()
    pks: Any = []
    if model is Batch and survey.subjects <= ONE_BY_ONE:
        pks = list(subjects.values_list("pk", flat=True))
    with override(None):
        details = ", ".join(form.details())
        filter_text = _filter_text(request, errand, survey)
    wish: Any = {name: value for name, value in form.wish.items() if name != "reason"}
    return Operation(
        kind=errand.action.slug,
        model=str(model._meta.model_name),
        filter_text=filter_text,
        subjects=pks,
        wish=wish,
        spread=_spread(errand, wish),
        error_fingerprint=errand.error,
        details=details,
        reason=form.cleaned_data["reason"],
        by=request.user.get_username()[:255],
        by_id=str(request.user.pk),
    )


def _filter_text(request: HttpRequest, errand: Errand, survey: Survey) -> str:
    if errand.row is not None:
        return str(errand.row) + (f", error {errand.error}" if errand.error else "")
    if errand.about:
        return str(errand.about)
    if errand.is_chosen:
        return in_numbers(_CHOSEN, survey.subjects, str(survey.subjects))
    return request.GET.urlencode() or "all"


def _spread(errand: Errand, wish: dict[str, Any]) -> int:
    """Return how many targets share the window: a resume spreads what is overdue, no more."""
    if wish.get("over") is None or errand.action.by_batch:
        return 0
    rows = errand.within_reach
    return (rows.filter(due_at__lte=now()) if errand.action.slug == "resume" else rows).count()


def _parts(errand: Errand) -> Iterator[OperationPart]:
    """Cut what is to be changed into parts, not yet saved: the targets are fixed from here on."""
    action, first = errand.action, 0
    in_parts = action.in_parts is not None or not action.by_batch
    if in_parts:
        ids: Any
        for ids in collect(errand.within_reach, "due_at", "pk").pages():
            yield OperationPart(targets=ids, count=len(ids), first=first)
            first += len(ids)
    if action.by_batch:
        fitting = errand.subjects.filter(action.fits()).order_by("pk")
        counted = errand.within_reach.order_by().values_list("batch").annotate(many=Count("pk"))
        counts = {} if in_parts else dict(counted)
        for pk in fitting.values_list("pk", flat=True):
            alone: Any = [pk]
            yield OperationPart(targets=alone, count=counts.get(pk, 0), is_of_batches=True)


def _write_down(request: HttpRequest, errand: Errand, operation: Operation, form: Wish) -> None:
    """Write it down for the operation, and for what it is about."""
    with override(None):
        what = title_of(errand.action, operation.total)
        reasons = form.reasons()
    write_down_on(operation.by_id, operation, " ".join([f"Began: {what}.", *reasons]))
    if operation.subjects:
        fitting = errand.subjects.model._default_manager.filter(pk__in=operation.subjects)
        said = f"Began operation {operation.pk}: {what}."
        write_down(request, list(named(fitting)), said, *reasons)

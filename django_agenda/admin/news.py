"""What has come since a list was loaded: the list says how many, and does not move its rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models.execution import Execution
from django_agenda.models.identity import first_uuid7

from . import live
from .span import MILLISECOND

if TYPE_CHECKING:
    from .acting import ActingAdmin

MOST_COUNTED = 99
_TEMPLATE = "admin/django_agenda/news.html"
_NEXT_S = 15
_CHOICES = (15, 30, 60, 0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 10**13


def since_now(admin: ActingAdmin, request: HttpRequest) -> live.Live:
    """Return where a list that is loaded now asks what has come since."""
    since = (now() - _EPOCH) // MILLISECOND
    return live.Live(
        url=_address(admin, since), tag=_tag(request, 0), next_s=_NEXT_S, choices=_CHOICES
    )


def news_view(admin: ActingAdmin, request: HttpRequest, since: int) -> HttpResponse:
    """Answer with how many rows of the list, as it is filtered, were made since; see `live`."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    if since > _LATEST_MS:
        raise Http404
    try:
        rows = admin.get_changelist_instance(request).queryset
    except IncorrectLookupParameters as error:
        raise Http404 from error
    moment = _EPOCH + since * MILLISECOND
    # The ids of executions tell when they were made.
    has_time = admin.model is not Execution
    is_new = Q(created_at__gt=moment) if has_time else Q(pk__gt=first_uuid7(moment))
    many = rows.filter(is_new).order_by()[: MOST_COUNTED + 1].count()
    tag = _tag(request, many)
    return live.answer(request, tag, _NEXT_S, lambda: _fragment(admin, request, since, many))


def _fragment(admin: ActingAdmin, request: HttpRequest, since: int, many: int) -> str:
    query = request.GET.copy()
    query.pop(PAGE_VAR, None)
    found = live.Live(
        url=_address(admin, since), tag=_tag(request, many), next_s=_NEXT_S, choices=_CHOICES
    )
    shown = {
        "live": found,
        "many": min(many, MOST_COUNTED),
        "is_capped": many > MOST_COUNTED,
        "address": f"{admin.list_url(admin.model)}?{query.urlencode()}",
    }
    return render_to_string(_TEMPLATE, shown, request)


def _address(admin: ActingAdmin, since: int) -> str:
    name = f"admin:{admin.opts.app_label}_{admin.opts.model_name}_new"
    return reverse(name, args=[since], current_app=admin.admin_site.name)


def _tag(request: HttpRequest, many: int) -> str:
    return live.make_tag(request, many)

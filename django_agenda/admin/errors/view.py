"""The kinds of errors as a page of the admin, and what can be done about each."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext_lazy as _

from django_agenda.admin.acting import ActingAdmin, may_do
from django_agenda.admin.actions import of_executions, page
from django_agenda.admin.actions.action import Action
from django_agenda.admin.actions.errand import Errand
from django_agenda.admin.actions.of_batches import ENQUEUE
from django_agenda.admin.actions.of_errors import CANCEL_TASK, RETRY
from django_agenda.admin.live_page import LivePageAdmin
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.error_group import ErrorGroup
from django_agenda.models.execution import Execution
from django_agenda.models.execution_set import ExecutionQuerySet

from .groups import DAY, WEEK, read_groups, troubled
from .marking import mark
from .marks import MARKS, Mark
from .page import errors_page

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_SPANS = {"day": (DAY, _("The last 24 hours")), "week": (WEEK, _("The last 7 days"))}


@admin.register(ErrorGroup)
class ErrorGroupAdmin(LivePageAdmin, ActingAdmin):
    """Show the kinds of errors in the place of a list."""

    page_template = "admin/django_agenda/errors/page.html"
    page_title = _("Error groups")
    next_s = 15
    choices = (15, 30, 60, 0)
    page_actions: ClassVar = (RETRY, ENQUEUE, CANCEL_TASK, *MARKS)

    def has_mark_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may resolve, ignore and reopen."""
        return may_do(request, "change_errorgroup")

    def get_urls(self) -> list[URLPattern]:
        """Offer what can be done as well."""
        return [*super().get_urls(), self.act_path()]

    def page_parts(self, request: HttpRequest) -> dict[str, Any]:
        """Return the kinds of errors."""
        return {"page": errors_page(self, request)}

    def act_on(self, request: HttpRequest, object_id: str, offer: Any) -> HttpResponse:
        """Ask for something about one kind of error, or do it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not _FINGERPRINT.fullmatch(object_id):
            raise Http404
        rows, moment = self.executions(request), now()
        if isinstance(offer, Mark):
            found = read_groups(rows, moment, only=object_id).groups
            return mark(self, request, found[0], offer) if found else self._gone(request, object_id)
        if offer is RETRY:
            # What the page counts from which somebody comes.
            span, about = _span(request)
            rows = rows.filter(error_fingerprint=object_id, finished_at__gte=moment - span)
            errand = self._of_kind(offer, rows, error=object_id, about=about)
        elif offer is ENQUEUE:
            errand = self._of_refused(request, offer, rows.filter(error_fingerprint=object_id))
        else:
            tasks = troubled(rows, moment).filter(error_fingerprint=object_id)
            names = sorted(set(tasks.values_list("task_name", flat=True).distinct()))
            errand = self._of_kind(offer, rows.filter(task_name__in=names), about=", ".join(names))
        view = page.answer if request.method == "POST" else page.ask
        return view(self, request, errand, {"back": self.list_url(ErrorGroup), "hidden": []})

    def _of_refused(self, request: HttpRequest, action: Action, rows: ExecutionQuerySet) -> Errand:
        """Take batches whole: what Redis refused it is told batch by batch. Else one by one."""
        pending = rows.filter(status=Execution.Status.PENDING)
        if not pending.filter(batch__isnull=False).exists():
            return self._of_kind(of_executions.ENQUEUE, pending)
        refused = pending.values("batch")
        if not self.can_see(request, Batch):
            raise PermissionDenied
        seen = self.admin_site.get_model_admin(Batch).get_queryset(request).order_by()
        batches = seen.filter(pk__in=refused)
        members = self.executions(request).filter(batch__in=batches.values("pk"))
        return Errand(action=action, subjects=batches, executions=members, is_chosen=False)

    def _of_kind(self, action: Action, rows: ExecutionQuerySet, **more: Any) -> Errand:
        rows = rows.filter(action.reach())
        # Not chosen one by one: what has come since it was asked for is changed as well.
        return Errand(action=action, subjects=rows, executions=rows, is_chosen=False, **more)


def _span(request: HttpRequest) -> Any:
    """Return how far back it goes, and that in words."""
    try:
        return _SPANS[request.GET.get("within", "week")]
    except KeyError:
        raise Http404 from None

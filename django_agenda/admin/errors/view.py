"""The kinds of errors as a page of the admin, and what can be done about each."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from django_agenda.admin.acting import ActingAdmin, may_do
from django_agenda.admin.actions import page
from django_agenda.admin.actions.action import Action
from django_agenda.admin.actions.errand import Errand
from django_agenda.admin.actions.of_errors import RETRY
from django_agenda.admin.live_page import LivePageAdmin
from django_agenda.clock import now
from django_agenda.models.error_group import ErrorGroup

from .groups import WEEK
from .marking import answer_mark, ask_mark
from .marks import MARKS, Mark
from .page import errors_page

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@admin.register(ErrorGroup)
class ErrorGroupAdmin(LivePageAdmin, ActingAdmin):
    """Show the kinds of errors in the place of a list."""

    page_template = "admin/django_agenda/errors/page.html"
    page_title = gettext_lazy("Error groups")
    next_s = 15
    choices = (15, 30, 60, 0)
    page_actions: ClassVar[tuple[Action, ...]] = (RETRY,)

    def has_mark_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may resolve, ignore and reopen."""
        return may_do(request, "change_errorgroup")

    def get_urls(self) -> list[URLPattern]:
        """Offer what can be done as well."""
        act = self.admin_site.admin_view(self.act_view)
        # A retry changes chunk by chunk, and tells Redis of each after its commit.
        transaction.non_atomic_requests(using=router.db_for_write(self.model))(act)
        ours = path("<path:object_id>/do/<slug:slug>/", act, name="django_agenda_errorgroup_do")
        return [*super().get_urls(), ours]

    def address(self, fingerprint: str, slug: str) -> str:
        """Return the address at which something is done about a kind of error."""
        name = "admin:django_agenda_errorgroup_do"
        return reverse(name, args=[fingerprint, slug], current_app=self.admin_site.name)

    def page_parts(self, request: HttpRequest) -> dict[str, Any]:
        """Return the kinds of errors."""
        return {"page": errors_page(self, request)}

    @method_decorator(csrf_protect)
    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def act_view(self, request: HttpRequest, object_id: str, slug: str) -> HttpResponse:
        """Ask for something about one kind of error, or do it."""
        if slug != RETRY.slug and slug not in {mark.slug for mark in MARKS}:
            raise Http404
        mark = next((mark for mark in MARKS if mark.slug == slug), None)
        is_allowed_to = (
            self.may(request, RETRY) if mark is None else self.has_mark_permission(request)
        )
        if not is_allowed_to or not self.has_view_permission(request):
            raise PermissionDenied
        if not _FINGERPRINT.fullmatch(object_id):
            raise Http404
        if mark is None:
            return self._retry(request, object_id)
        return self._mark(request, object_id, mark)

    def _retry(self, request: HttpRequest, fingerprint: str) -> HttpResponse:
        """Retry what the page counts; see ActingAdmin.act_view()."""
        rows = self.executions(request).filter(
            RETRY.reach(), error_fingerprint=fingerprint, finished_at__gte=now() - WEEK
        )
        # Not chosen one by one: what has come since it was asked for is retried as well.
        errand = Errand(
            action=RETRY, subjects=rows, executions=rows, error=fingerprint, is_chosen=False
        )
        view = page.answer if request.method == "POST" else page.ask
        return view(self, request, errand, {"back": self.list_url(ErrorGroup), "hidden": []})

    def _mark(self, request: HttpRequest, fingerprint: str, mark: Mark) -> HttpResponse:
        view = answer_mark if request.method == "POST" else ask_mark
        found = view(self, request, fingerprint, mark)
        return self._gone(request, fingerprint) if found is None else found

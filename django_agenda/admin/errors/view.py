"""The kinds of errors as a page of the admin, and what can be done about each."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from django_agenda.admin import live
from django_agenda.admin.acting import ActingAdmin, may_do
from django_agenda.admin.actions import page
from django_agenda.admin.actions.action import Action
from django_agenda.admin.actions.errand import Errand
from django_agenda.admin.actions.of_errors import RETRY
from django_agenda.clock import now
from django_agenda.models.error_group import ErrorGroup

from .groups import WEEK
from .marking import answer_mark, ask_mark
from .marks import MARKS, Mark
from .page import errors_page

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_NEXT_S = 15
_CHOICES = (15, 30, 60, 0)
# What has come meanwhile is looked for this often.
_TICK_S = 15


@admin.register(ErrorGroup)
class ErrorGroupAdmin(ActingAdmin):
    """Show the kinds of errors in the place of a list."""

    page_template = "admin/django_agenda/errors/page.html"
    page_actions: ClassVar[tuple[Action, ...]] = (RETRY,)

    def has_mark_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may resolve, ignore and reopen."""
        return may_do(request, "change_errorgroup")

    def get_urls(self) -> list[URLPattern]:
        """Offer the page, its fragment and what can be done, and nothing of a list."""
        site, name = self.admin_site, "django_agenda_errorgroup"
        act = site.admin_view(self.act_view)
        # A retry changes chunk by chunk, and tells Redis of each after its commit.
        transaction.non_atomic_requests(using=router.db_for_write(self.model))(act)
        return [
            path("", site.admin_view(self.changelist_view), name=f"{name}_changelist"),
            path("live/", site.admin_view(self.live_view), name=f"{name}_live"),
            path("<path:object_id>/do/<slug:slug>/", act, name=f"{name}_do"),
        ]

    def address(self, fingerprint: str, slug: str) -> str:
        """Return the address at which something is done about a kind of error."""
        name = "admin:django_agenda_errorgroup_do"
        return reverse(name, args=[fingerprint, slug], current_app=self.admin_site.name)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the page."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        context = self._context(request) | (extra_context or {})
        return TemplateResponse(request, self.page_template, context)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Answer with what the page shows by now; see the module `live`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return live.answer(request, _tag(request), _NEXT_S, lambda: self._fragment(request))

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

    def _fragment(self, request: HttpRequest) -> str:
        context = self._context(request) | {"frame": live.FRAME}
        return render_to_string(self.page_template, context, request)

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        url = reverse("admin:django_agenda_errorgroup_live", current_app=self.admin_site.name)
        return {
            **self.admin_site.each_context(request),
            "title": _("Error groups"),
            "opts": self.opts,
            "media": self.media,
            "live": live.Live(url=url, tag=_tag(request), next_s=_NEXT_S, choices=_CHOICES),
            # The breadcrumbs are those of a list.
            "cl": {"opts": self.opts},
            "page": errors_page(self, request),
        }


def _tag(request: HttpRequest) -> str:
    return live.make_tag(request, int(now().timestamp()) // _TICK_S)

"""A page of its own in the place of a list, which keeps itself fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from django_agenda.clock import now

from . import live
from .obstacles import obstacles
from .read_only import ReadOnlyAdmin

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class LivePageAdmin(ReadOnlyAdmin):
    """Show one page and its fragment, and nothing of a list.

    `next_s` is how many seconds the script waits for the next look; people may choose another.
    """

    page_title: _StrPromise
    next_s: ClassVar = 5
    choices: ClassVar[tuple[int, ...]] = (5, 15, 30, 60, 0)

    def get_urls(self) -> list[URLPattern]:
        """Offer the page and its fragment."""
        wrap, name = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("live/", wrap(self.live_view), name=f"{name}_live"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the page."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        context = self._context(request, self.page_tag(request)) | (extra_context or {})
        return TemplateResponse(request, self.page_template, context)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Answer with what the page shows by now; see the module `live`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        tag = self.page_tag(request)
        return live.answer(request, tag, self.next_s, lambda: self._fragment(request, tag))

    def page_parts(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the template of the page shows."""
        raise NotImplementedError

    def page_tag(self, request: HttpRequest) -> str:
        """Return what changes with time: to know more would cost as much as the page."""
        return live.make_tag(request, int(now().timestamp()) // self.next_s)

    def _fragment(self, request: HttpRequest, tag: str) -> str:
        context = self._context(request, tag) | {"frame": live.FRAME}
        return render_to_string(self.page_template, context, request)

    def _context(self, request: HttpRequest, tag: str) -> dict[str, Any]:
        request.current_app = site = self.admin_site.name
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_live"
        return {
            **self.admin_site.each_context(request),
            "title": self.page_title,
            "opts": self.opts,
            "media": self.media,
            "obstacles": obstacles,
            "overview_url": self.overview_url(request),
            "live": live.Live(
                url=reverse(name, current_app=site),
                tag=tag,
                next_s=self.next_s,
                choices=self.choices,
            ),
            # The breadcrumbs are those of a list.
            "cl": {"opts": self.opts},
            **self.page_parts(request),
        }

"""The page of a row that keeps itself fresh."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse

from . import live
from .read_only import ReadOnlyAdmin


class LiveRowAdmin(ReadOnlyAdmin):
    """Add the fragment of the page of a row; its page_context() has live_of() as `live`."""

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the fragment."""
        view = self.admin_site.admin_view(self.live_view)
        return [path("<path:object_id>/live/", view, name=self._live_name()), *super().get_urls()]

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer with what the page of a row shows by now; see the module `live`."""
        row = self.seen_row(request, object_id)
        if row is None:
            raise Http404
        found = self.live_of(request, row)
        render = lambda: self.fragment(request, row)  # noqa: E731
        return live.answer(request, found.tag, found.next_s, render)

    def live_of(self, request: HttpRequest, row: Any) -> live.Live:
        """Return where the fragment is, what it shows, and when it may look different."""
        raise NotImplementedError

    def live_url(self, row: Any) -> str:
        """Return the address of a row's fragment on this admin site."""
        return reverse(
            f"admin:{self._live_name()}", args=[row.pk], current_app=self.admin_site.name
        )

    def _live_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_live"

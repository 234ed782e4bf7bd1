"""Links from the page of a batch to itself: another part of the window, another status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django_agenda.admin.span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Write links to this page that keep what they do not change."""

    status: str
    span: Span

    def zoom(self, span: Span) -> str:
        """Return the link to another span."""
        return self._link(span, self.status)

    def filter(self, status: str) -> str:
        """Return the link to another status; an empty one means all."""
        return f"{self._link(self.span, status)}#timeline"

    def after(self, place: str) -> str:
        """Return the link to the next rows of the table."""
        return f"{self._link(self.span, self.status, after=place)}#executions"

    def _link(self, span: Span, status: str, **more: str) -> str:
        query: dict[str, Any] = {}
        if not span.whole:
            query = {"from": span.lo_ms, "to": span.hi_ms}
        if status:
            query["status"] = status
        return f"?{urlencode(query | more)}"

"""Pages of long lists without counting all of them."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

MOST_COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Count up to MOST_COUNTED rows; what lies beyond is reached by filters."""

    def __init__(self, *args: Any, is_first: bool = False, **more: Any) -> None:
        super().__init__(*args, **more)
        self._is_first = is_first

    @cached_property
    def count(self) -> int:
        """Return how many rows these pages reach."""
        return min(self._counted, MOST_COUNTED)

    @property
    def is_capped(self) -> bool:
        """Tell whether there are rows that no page reaches."""
        return self._counted > MOST_COUNTED

    def page(self, number: int | str) -> Page[Any]:
        """Return one page; the first is not read again if counting has read it."""
        if number != 1 or not self._is_short:
            return super().page(number)
        return Page(self._first, 1, self)

    @cached_property
    def _counted(self) -> int:
        if self._is_short:
            return len(self._first)
        rows: Any = self.object_list
        return int(rows.order_by()[: MOST_COUNTED + 1].count())

    @cached_property
    def _is_short(self) -> bool:
        rows: Any = self.object_list
        return self._is_first and bool(rows.query.where) and len(self._first) <= self.per_page

    @cached_property
    def _first(self) -> list[Any]:
        """Return the first page and one more: of few rows, one scan finds and counts all."""
        return list(self.object_list[: self.per_page + 1])


class LeanList(ChangeList):
    """Say how many rows there are only where something was searched or filtered."""

    result_list: Any = ()

    def get_results(self, request: HttpRequest) -> None:
        """Read one page; who asks only what is new gets none."""
        if request.resolver_match and str(request.resolver_match.url_name).endswith("_new"):
            return
        super().get_results(request)
        if not self.multi_page:
            self.result_list = self.paginator.page(1).object_list
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count

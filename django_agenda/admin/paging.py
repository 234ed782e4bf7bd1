"""Pages of long lists without counting all of them."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

MOST_COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Count up to MOST_COUNTED rows; what lies beyond is reached by filters."""

    @cached_property
    def count(self) -> int:
        """Return how many rows these pages reach."""
        return min(self._counted, MOST_COUNTED)

    @property
    def is_capped(self) -> bool:
        """Tell whether there are rows that no page reaches."""
        return self._counted > MOST_COUNTED

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: MOST_COUNTED + 1].count())


class LeanList(ChangeList):
    """Say how many rows there are only where something was searched or filtered."""

    result_list: Any = ()

    def get_results(self, request: HttpRequest) -> None:
        """Read one page; who asks only what is new gets none."""
        if request.resolver_match and str(request.resolver_match.url_name).endswith("_new"):
            return
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count

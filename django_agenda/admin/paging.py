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

    @cached_property
    def count(self) -> int:
        """Return how many rows these pages reach."""
        return min(self._counted, MOST_COUNTED)

    @property
    def is_capped(self) -> bool:
        """Tell whether there are rows that no page reaches."""
        return self._counted > MOST_COUNTED

    def page(self, number: int | str) -> Page[Any]:
        """Return one page; of rows that are known already no statement looks for them again."""
        if self._found is None:
            return super().page(number)
        number = self.validate_number(number)
        bottom = (number - 1) * self.per_page
        keys = self._found[bottom : min(bottom + self.per_page, self.count)]
        rows: Any = self.object_list
        return Page(rows.filter(pk__in=keys), number, self)

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        if self._found is None:
            return int(rows.order_by()[: MOST_COUNTED + 1].count())
        return len(self._found)

    @cached_property
    def _found(self) -> list[Any] | None:
        """Return the keys of what the pages reach, so that one scan finds and counts what is rare.

        Where everything is listed, counting is cheaper.
        """
        rows: Any = self.object_list
        if not rows.query.where:
            return None
        return list(rows.values_list("pk", flat=True)[: MOST_COUNTED + 1])


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

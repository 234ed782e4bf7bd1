"""Pages of long lists without counting all of them."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

MOST_COUNTED = 10_000
_SORTED_HERE = frozenset({"id", "pk", "position"})


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
        """Return one page; what counting has found is not looked for again."""
        number = self.validate_number(number)
        if self._found is None or len(self._found) > MOST_COUNTED:
            return super().page(number)
        end = number * self.per_page
        rows: Any = self.object_list
        return Page(rows.filter(pk__in=self._found[end - self.per_page : end]), number, self)

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        if self._found is not None:
            return len(self._found)
        return int(rows.order_by()[: MOST_COUNTED + 1].count())

    @cached_property
    def _found(self) -> list[Any] | None:
        """Return the keys of what fits: where that is little, one scan finds and counts it.

        The database does not sort them, so that it may stop as soon as there are too many. Only
        numbers and keys are in the same order here.
        """
        rows: Any = self.object_list
        names = [str(name) for name in rows.query.order_by]
        columns = [name.removeprefix("-") for name in names]
        if not rows.query.where or not _SORTED_HERE.issuperset(columns):
            return None
        found = list(rows.order_by().values_list(*columns, "pk")[: MOST_COUNTED + 1])
        for place, name in reversed(list(enumerate(names))):
            found.sort(key=itemgetter(place), reverse=name.startswith("-"))
        return [row[-1] for row in found]


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

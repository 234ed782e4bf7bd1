"""What the list of batches loads with the rows of a page, in four statements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import Count, Max, QuerySet
from django.http import HttpRequest

from django_agenda.admin.due_later import hang_later
from django_agenda.admin.lateness import Sketch
from django_agenda.admin.makers import makers_of
from django_agenda.admin.paging import LeanList
from django_agenda.admin.sparks import countable, plan_sparks
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.scheduling.count import sql_step
from django_agenda.scheduling.rollup import rollup_of

_SHARE = 0.95


class BatchList(LeanList):
    """Hang on each batch its drawing, its lateness, what is due later, and who has made it."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Leave out what the list does not show."""
        return super().get_queryset(request, *args, **kwargs).defer("enqueue_error")

    def get_results(self, request: HttpRequest) -> None:
        """Load it for the rows that are shown."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        sparks, late = plan_sparks(self.result_list), lateness_of(self.result_list)
        makers = makers_of(self.result_list) if self.result_list else {}
        moment = now()
        over = [batch for batch in self.result_list if batch.end < moment]
        hang_later(Execution.objects.all(), over, moment)
        for batch in self.result_list:
            batch.spark = sparks.get(batch.pk, "")
            batch.late_ms = late.get(batch.pk)
            batch.maker = makers.get(batch.pk, "")


def lateness_of(batches: Sequence[Batch]) -> dict[int, float]:
    """Return by batch how late 95 of 100 starts were at most, of those that are soon counted."""
    counted = countable(batches)
    if not counted:
        return {}
    found = (
        Execution.objects.filter(batch__in=counted, lag_ms__isnull=False)
        .annotate(step=sql_step("lag_ms"))
        .values_list("batch", "step")
        .annotate(count=Count("*"), most=Max("lag_ms"))
        .order_by()
    )
    steps: defaultdict[int, Counter[int]] = defaultdict(Counter)
    longest: defaultdict[int, int] = defaultdict(int)
    for pk, step, many, most in found:
        steps[pk][max(int(step), 0)] += many
        longest[pk] = max(longest[pk], most)
    for batch in batches:
        if batch.rollup:
            pruned = rollup_of(batch)
            steps[batch.pk].update(pruned.lag)
            longest[batch.pk] = max(longest[batch.pk], pruned.longest_lag_ms or 0)
    sketches = {
        pk: Sketch(sorted(counts.items()), longest=longest[pk]) for pk, counts in steps.items()
    }
    late = {pk: sketch.quantile(_SHARE) for pk, sketch in sketches.items()}
    return {pk: value for pk, value in late.items() if value is not None}

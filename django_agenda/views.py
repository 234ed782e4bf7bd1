"""A view for the people whom a batch is about: how far it is, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.http import require_safe

from .models.batch import Batch

MaySee = Callable[[HttpRequest, Batch], bool]


def progress_view(may_see: MaySee) -> Callable[..., HttpResponse]:
    """Return a view that takes a batch's `pk` and answers with its progress.

    `may_see(request, batch)` tells whether this request may; otherwise, and when there is no such
    batch, the answer is 404, so that nobody learns which batches there are. Only counts, times and
    the status are told: no names, arguments or errors. The same state has the same ETag, and is
    answered with 304 to who has it.

        path("newsletters/<int:pk>/progress/", progress_view(lambda request, batch: ...))
    """

    @require_safe
    def progress(request: HttpRequest, pk: int) -> HttpResponse:
        batch = Batch.objects.filter(pk=pk).first()
        if batch is None or not may_see(request, batch):
            raise Http404
        tag = f'"{batch.pk}-{batch.version}-{batch.status}"'
        answer = get_conditional_response(request, etag=tag)
        if answer is None:
            answer = JsonResponse(as_json(batch))
        answer["ETag"] = tag
        patch_cache_control(answer, private=True, no_cache=True)
        return answer

    return progress


def as_json(batch: Batch) -> dict[str, Any]:
    """Return the progress of a batch as plain values; moments are ISO 8601 in UTC."""
    return {
        "id": batch.pk,
        "status": batch.status,
        "is_finished": batch.is_finished,
        "description": batch.describe(),
        "progress": batch.progress,
        "done": batch.done,
        "total": batch.total,
        **{name: getattr(batch, name) for name in Batch.COUNTS},
        "start": _written(batch.start),
        "end": _written(batch.end),
        "finished_at": _written(batch.finished_at),
    }


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None

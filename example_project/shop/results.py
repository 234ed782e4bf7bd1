"""What came of a newsletter that was flooded, and of one that was scattered."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count
from django.urls import reverse

from django_agenda.models import Batch, Execution

from .newsletter import Way

TOO_FAST = "smtplib.SMTPDataError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Hold the counts of the newest batch that went one way; the four parts add up to `total`."""

    way: Way
    batch_id: int
    total: int
    delivered: int
    too_fast: int
    failed_otherwise: int
    finished: bool

    @property
    def waiting(self) -> int:
        """Return how many are still to be sent."""
        return self.total - self.delivered - self.too_fast - self.failed_otherwise

    @property
    def url(self) -> str:
        """Return where the admin shows the batch."""
        return reverse("admin:django_agenda_batch_change", args=[self.batch_id])

    @property
    def parts(self) -> list[tuple[str, str, int, float, float]]:
        """Return the parts of its bar: name, words, count, left edge and width in percent."""
        counts = [
            ("delivered", "delivered", self.delivered),
            ("too-fast", "refused: faster than the limit", self.too_fast),
            ("failed", "refused: no such mailbox", self.failed_otherwise),
            ("waiting", "still to be sent", self.waiting),
        ]
        parts, left = [], 0.0
        for name, words, count in counts:
            width = 100 * count / self.total if self.total else 0.0
            parts.append((name, words, count, left, width))
            left += width
        return parts


def latest_result(way: Way) -> Result | None:
    """Return the result of the newest newsletter that went that way."""
    batch = Batch.objects.filter(name__endswith=f", {way}").order_by("-pk").first()
    if batch is None:
        return None
    failures = Execution.objects.filter(batch=batch, status=Execution.Status.FAILED)
    by_class = dict(failures.order_by().values_list("error_class").annotate(Count("pk")))
    too_fast = by_class.pop(TOO_FAST, 0)
    return Result(
        way=way,
        batch_id=batch.pk,
        total=batch.total,
        delivered=batch.succeeded,
        too_fast=too_fast,
        failed_otherwise=sum(by_class.values()),
        finished=batch.is_finished,
    )

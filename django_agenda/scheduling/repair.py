"""Make broker, rows and counts agree, and report what was wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db.models import F, Q

from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution

from .agree import find_missing, find_strangers
from .audit import Drift, audit
from .enqueue import enqueue_batch
from .reconcile import enqueue_pending, miss_expired

Progress = Callable[[str], object]


@dataclass(slots=True, kw_only=True)
class Report:
    """Hold how much was wrong; with repair it was put right, and else it still is.

    `never_told` counts batches whose enqueueing had stopped short, the others executions.
    """

    never_told: int = 0
    refused: int = 0
    expired: int = 0
    missing: int = 0
    strangers: int = 0
    batches: int = 0
    drifts: list[Drift] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Tell whether all agreed."""
        wrong = self.never_told + self.refused + self.expired + self.missing + self.strangers
        return not wrong and not self.drifts


def reconcile(using: str, *, repair: bool = True, progress: Progress = str) -> Report:
    """Look at everything once, in bounded chunks, beside running workers; say what was found.

    Raises BrokerUnavailable; what was put right until then stays so. May be repeated by anybody
    at any time.
    """
    report = Report()
    progress("batches that never reached the broker")
    for batch_id in _untold(using):
        report.never_told += 1
        if repair and (error := enqueue_batch(using, batch_id)):
            raise error
    progress("refused executions")
    report.refused = _refused(using, repair=repair)
    progress("expired executions")
    report.expired = _expired(using, repair=repair)
    progress("ids of nobody in the broker")
    report.strangers = sum(find_strangers(using, repair=repair))
    progress("executions that the broker lacks")
    report.missing = sum(find_missing(using, repair=repair))
    progress("counts of batches")
    for count, drifts in audit(using, repair=repair):
        report.batches += count
        report.drifts += drifts
    return report


def _untold(using: str) -> Iterator[int]:
    short = Q(pending__gt=0) | Q(told_until__lt=F("total"))
    batches = Batch.objects.using(using).filter(
        short,
        finished_at=None,
        paused_at=None,
        created_at__lt=now() - get_settings().ENQUEUE_GRACE,
    )
    after = 0
    while found := list(batches.filter(pk__gt=after).order_by("pk").values_list("pk")[:100]):
        yield from (row[0] for row in found)
        after = found[-1][0]


def _refused(using: str, *, repair: bool) -> int:
    if not repair:
        pending = Execution.objects.using(using).filter(status=Execution.Status.PENDING)
        return pending.filter(batch=None, held_by="").count()
    return sum(iter(lambda: enqueue_pending(using), 0))


def _expired(using: str, *, repair: bool) -> int:
    if repair:
        return sum(iter(lambda: miss_expired(using), 0))
    moment = now()
    rows = Execution.objects.using(using).filter(
        status__in=Execution.WAITING,
        held_by__in=Execution.UNASKED,
        due_at__lt=moment,
        expires_at__lt=moment,
    )
    return rows.count()

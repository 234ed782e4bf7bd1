"""The same newsletter to the same customers, in two ways: all at once, or scattered."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from django_agenda import Agenda
from django_agenda.models import Batch, label_of

from .models import Customer, Mailing
from .tasks import send_newsletter

AT_ONCE = timedelta(milliseconds=1)


class Way(StrEnum):
    """Name the two ways; the batches carry these words in their names."""

    FLOODED = "flooded"
    SCATTERED = "scattered"


def send(mailing: Mailing, *, mails: int, over: timedelta | None = None) -> Batch:
    """Plan a mailing for the first `mails` customers; all at once when `over` is None."""
    agenda = Agenda()
    for customer_id in Customer.objects.order_by("pk").values_list("pk", flat=True)[:mails]:
        agenda.add(send_newsletter)(customer_id, mailing.pk)
    way = Way.FLOODED if over is None else Way.SCATTERED
    return agenda.scatter(
        over=over or AT_ONCE, name=f"{mailing.subject}, {way}", labels=[label_of(mailing)]
    )

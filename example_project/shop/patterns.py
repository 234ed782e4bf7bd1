"""Ways to combine tasks, as they are explained in the documentation under Patterns."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Max, Min, Sum
from django.db.models.functions import Trim
from django.utils import timezone

from django_agenda import Agenda, Call, Rate, current, schedule, task
from django_agenda.models import Batch, Execution, Schedule

from .models import Customer, Order

PATIENCE = timedelta(days=3)
REMINDERS = 3
ROWS_AT_ONCE = 500


# chain
@task
def pack(order_id: int) -> str:
    """Do the first step, then hand the order on; a step that fails hands on nothing."""
    schedule(hand_over)(order_id, parcel=f"P{order_id:06}")
    return "packed"


@task(max_attempts=5, backoff=timedelta(seconds=1))
def hand_over(order_id: int, parcel: str) -> str:
    """Give the parcel to the carrier; its own retries do not repeat the packing."""
    schedule(ask_whether_it_came, after=timedelta(days=2), key=f"came-{order_id}")(order_id)
    return parcel


@task
def ask_whether_it_came(order_id: int) -> None:
    """Do the last step, two days later."""
    customer = Customer.objects.get(orders=order_id)
    send_mail("Did your tea come?", f"Dear {customer}, did it?", None, [customer.email])


# fan-out
@task
def close_month(year: int, month: int) -> int:
    """Fan out into one call for each customer, over ten minutes, and finish when all have ended."""
    agenda = Agenda()
    for customer_id in Customer.objects.order_by("pk").values_list("pk", flat=True):
        agenda.add(sum_up)(customer_id, year, month)
    batch = agenda.scatter(
        over=timedelta(minutes=10),
        name=f"Accounts of {year}-{month:02}",
        key=f"accounts-{year}-{month:02}",
        on_complete=write_accounts,
    )
    return batch.pk


@task(max_attempts=3)
def sum_up(customer_id: int, year: int, month: int) -> Decimal:
    """Do one part; what it returns is kept with its execution."""
    placed = Order.objects.filter(
        customer=customer_id, placed_at__year=year, placed_at__month=month
    )
    return placed.aggregate(sum=Sum("total"))["sum"] or Decimal(0)


@task
def write_accounts(batch_id: int) -> dict[str, object]:
    """Finish: called once, when the last part has ended, whatever came of it."""
    batch = Batch.objects.get(pk=batch_id)
    sums = batch.executions.filter(status=Execution.Status.SUCCEEDED)
    total = sum(sums.values_list("return_value", flat=True), Decimal(0))
    return {"total": total, "complete": batch.status == Batch.Status.SUCCEEDED}


# flow
@task
def look_after(order_id: int) -> str:
    """Decide by what is the case when it runs: go on, ask again later, or give up."""
    order = Order.objects.get(pk=order_id)
    if order.paid_at is not None:
        schedule(pack)(order_id)
        return "paid"
    if current.attempt <= REMINDERS:
        current.retry(after=PATIENCE, reason="not paid yet")
    schedule(cancel_order)(order_id)
    return "given up"


@task
def cancel_order(order_id: int) -> None:
    """Take the other way."""
    Order.objects.filter(pk=order_id, paid_at=None).delete()


def expect_payment(order_id: int) -> Execution:
    """Begin the flow, once for an order however often this is called."""
    return schedule(look_after, key=f"order-{order_id}")(order_id)


def note_payment(order_id: int) -> None:
    """Go on at once when the money has come, without waiting for the next look."""
    Order.objects.filter(pk=order_id).update(paid_at=timezone.now())
    Execution.objects.filter(key=f"order-{order_id}").reschedule(at=timezone.now())


# recurring
@task
def offer_of_the_week() -> int:
    """Fill the agenda of this run; it is scattered over the hours that the schedule says."""
    for customer_id in Customer.objects.order_by("pk").values_list("pk", flat=True):
        current.agenda.add(write_to, key=f"offer-{customer_id}")(customer_id, "Tea of the week")
    return len(current.agenda)


def plan_offers() -> Schedule:
    """Say what is wanted; to say it again, at each deployment, changes nothing."""
    return Schedule.objects.cron(
        offer_of_the_week,
        "0 9 * * 1",
        timezone="Europe/Berlin",
        over=timedelta(hours=8),
        name="Tea of the week",
    )


# back-fill
@task(queue_name="slow", priority=-50, max_attempts=3)
def tidy_cities(first: int, last: int) -> int:
    """Change one slice of a large table; run twice, it changes nothing the second time."""
    rows = Customer.objects.filter(pk__range=(first, last))
    return rows.update(city=Trim("city"))


def back_fill(over: timedelta = timedelta(hours=6), start: datetime | None = None) -> Batch:
    """Scatter the slices over a night; memory does not grow with the table.

    Five failures in a hundred pause it; `batch.resume()` goes on, `batch.retry_failed()` repeats.
    """
    ends = Customer.objects.aggregate(first=Min("pk"), last=Max("pk"))
    firsts = range(ends["first"] or 1, (ends["last"] or 0) + 1, ROWS_AT_ONCE)
    calls: Iterator[Call] = (
        Call(tidy_cities, (first, first + ROWS_AT_ONCE - 1)) for first in firsts
    )
    agenda = Agenda(calls, count=len(firsts))
    return agenda.scatter(
        over=over, start=start, name="Tidy cities", key="tidy-cities", max_failures=0.05
    )


# limit
LIMIT = Rate(max(1, settings.PROVIDER_LIMIT * 9 // 10), per=1)


@task(queue_name="mail", max_attempts=5, backoff=timedelta(seconds=5), rate=LIMIT)
def write_to(customer_id: int, subject: str) -> str:
    """Send one mail; when the provider says "later", come back later, and count no failure."""
    customer = Customer.objects.get(pk=customer_id)
    try:
        send_mail(subject, f"Dear {customer}", None, [customer.email])
    except smtplib.SMTPDataError as error:
        if not 400 <= error.smtp_code < 500 or current.attempt > 20:
            raise
        current.retry(after=timedelta(seconds=1))
    return customer.email


def write_to_all(subject: str) -> Batch:
    """Take as long as the provider's limit asks for, and leave it a fifth for others."""
    agenda = Agenda()
    for customer_id in Customer.objects.order_by("pk").values_list("pk", flat=True):
        agenda.add(write_to)(customer_id, subject)
    seconds = max(1.0, len(agenda) / (settings.PROVIDER_LIMIT * 0.8))
    return agenda.scatter(over=timedelta(seconds=seconds), name=subject)


# end

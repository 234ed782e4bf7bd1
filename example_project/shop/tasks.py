"""What the shop does later. Nothing is caught: what goes wrong is shown in the admin."""

from __future__ import annotations

import smtplib
from datetime import timedelta

from django.core.mail import send_mail
from django.utils import timezone

from django_agenda import Exponential, current, every, task

from .models import Customer, Mailing, Order


@task(queue_name="mail")
def send_newsletter(customer_id: int, mailing_id: int) -> None:
    """Send one newsletter to one customer."""
    customer = Customer.objects.get(pk=customer_id)
    mailing = Mailing.objects.get(pk=mailing_id)
    send_mail(mailing.subject, mailing.text.format(name=customer.name), None, [customer.email])


@task(priority=10)
async def reserve_goods(order_id: int) -> None:
    """Reserve what was ordered; an async task runs on the worker's event loop."""
    await Order.objects.filter(pk=order_id).aupdate(reserved_at=timezone.now())


@task(
    queue_name="mail",
    max_attempts=5,
    backoff=Exponential(timedelta(seconds=2), timedelta(minutes=5)),
    retry_on=(smtplib.SMTPException, ConnectionError),
    give_up_on=smtplib.SMTPRecipientsRefused,
)
def remind_to_pay(order_id: int) -> bool:
    """Remind of an unpaid order; try again when the mail server is busy or away."""
    order = Order.objects.select_related("customer").get(pk=order_id)
    if order.paid_at is None:
        text = f"Dear {order.customer}, your {order} of {order.total} € is still to be paid."
        send_mail("A gentle reminder", text, None, [order.customer.email])
    return order.paid_at is None


@task(queue_name="mail")
def ask_for_review(order_id: int) -> None:
    """Ask how the tea tasted."""
    customer = Customer.objects.get(orders=order_id)
    send_mail("How was your tea?", f"Dear {customer}, tell us!", None, [customer.email])


@every(
    timedelta(minutes=5),
    over=timedelta(minutes=4),
    name="Unpaid orders",
    description="Finds what was ordered long ago and not paid, and scatters gentle reminders.",
)
def find_unpaid_orders() -> int:
    """Find and flood: what is added to the agenda is scattered over four minutes."""
    long_ago = timezone.now() - timedelta(days=3)
    unpaid = Order.objects.filter(paid_at=None, placed_at__lt=long_ago)[:500]
    for order in unpaid.only("pk"):
        current.agenda.add(remind_to_pay, key=f"remind-{order.pk}")(order.pk)
    return len(unpaid)

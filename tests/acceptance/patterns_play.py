"""Play one pattern of the shop to its end, beside a worker, and print what came of it as JSON.

A program: it runs in the shop's own project, as test_patterns.py calls it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import django

django.setup()

from shop import patterns, tasks  # type: ignore[import-not-found]  # noqa: E402
from shop.models import Customer, Order  # type: ignore[import-not-found]  # noqa: E402

from django_agenda import schedule  # noqa: E402
from django_agenda.clock import monotonic, now  # noqa: E402
from django_agenda.models import Batch, Execution, Schedule  # noqa: E402
from tests.waiting import wait_until  # noqa: E402

MOMENT = timedelta(milliseconds=200)


def find_and_flood() -> Any:
    Order.objects.update(placed_at=now() - timedelta(days=9), paid_at=None)
    run = Schedule.objects.get(name="Unpaid orders").run_now()
    found = run.wait(20)
    batch = Batch.objects.get(parent=run)
    batch.respread(over=MOMENT)
    batch.wait(60)
    return found, batch.total, batch.succeeded, run.scattered.get() == batch


def chain() -> Any:
    order = Order.objects.earliest("pk")
    first = schedule(patterns.pack)(order.pk)
    first.wait(20)
    wait_until(lambda: bool(list(first.children.all())), 20)
    second = first.children.get()
    parcel = second.wait(20)
    third = second.children.get()
    waits = round((third.due_at - now()) / timedelta(days=1))
    third.reschedule(at=now())
    third.wait(20)
    return parcel == f"P{order.pk:06}", waits, third.key == f"came-{order.pk}"


def fan_out() -> Any:
    moment = now()
    parent = schedule(patterns.close_month)(moment.year, moment.month)
    batch = Batch.objects.get(pk=parent.wait(20))
    again = schedule(patterns.close_month)(moment.year, moment.month)
    is_same = again.wait(20) == batch.pk
    batch.respread(over=MOMENT)
    batch.wait(30)
    wait_until(lambda: batch.callbacks.filter(status="succeeded").exists(), 20)
    finish = batch.callbacks.get().return_value
    return float(finish["total"]), finish["complete"], batch.total, is_same


def flow() -> Any:
    customer = Customer.objects.earliest("pk")
    paid, forgotten = [Order(customer=customer, total=9) for _ in range(2)]
    # One by one they would begin their own follow-ups.
    Order.objects.bulk_create([paid, forgotten])
    first = patterns.expect_payment(paid.pk)
    is_once = patterns.expect_payment(paid.pk) == first
    wait_until(partial(_waits_after, first, 1), 20)
    patterns.note_payment(paid.pk)
    ended = first.wait(20)
    second = patterns.expect_payment(forgotten.pk)
    for attempt in range(1, patterns.REMINDERS + 1):
        wait_until(partial(_waits_after, second, attempt), 20)
        second.reschedule(at=now())
    given_up = second.wait(20)
    second.children.get().wait(20)
    is_gone = not Order.objects.filter(pk=forgotten.pk).exists()
    paid.delete()
    return is_once, ended, given_up, is_gone


def recurring() -> Any:
    plan = patterns.plan_offers()
    is_same = patterns.plan_offers() == plan
    run = plan.run_now()
    count = run.wait(20)
    batch = Batch.objects.get(parent=run)
    hours = round(batch.over / timedelta(hours=1))
    batch.cancel()
    ticks = {
        tick.astimezone(patterns.timezone.get_default_timezone()).weekday()
        for tick in plan.next_times(3)
    }
    plan.delete()
    return is_same, count == batch.total, hours, ticks == {0}


def back_fill() -> Any:
    patterns.ROWS_AT_ONCE = 7
    Customer.objects.filter(pk__lte=10).update(city="  Graz ")
    total = Customer.objects.count()
    batch = patterns.back_fill(over=MOMENT)
    batch.wait(30)
    changed = sum(row.return_value for row in batch.executions.all())
    return batch.describe(), changed == total, Customer.objects.filter(city="Graz").count() >= 10


def limit() -> Any:
    began = monotonic()
    batch = patterns.write_to_all("Spring tea")
    batch.wait(60)
    return batch.succeeded == batch.total == Customer.objects.count(), monotonic() - began > 1


def _waits_after(row: Execution, attempt: int) -> bool:
    row.refresh_from_db()
    return row.attempts == attempt and row.status == "scheduled"


PLAYS: dict[str, Callable[[], Any]] = {
    play.__name__: play
    for play in (find_and_flood, chain, fan_out, flow, recurring, back_fill, limit)
}

if __name__ == "__main__":
    assert tasks.find_unpaid_orders
    sys.stdout.write(json.dumps(PLAYS[sys.argv[1]]()))

"""Pages of a filtered list: found and counted by one scan where they are few."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda.admin import paging
from django_agenda.models import Batch, Execution
from tests.factories import ExecutionFactory, Scene, ScheduleFactory, flood

LIST = reverse("admin:django_agenda_execution_changelist")

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows() -> list[Execution]:
    """Make 120 that a filter finds, and some that it does not."""
    found = ExecutionFactory.create_batch(120, worker="mail-1")
    ExecutionFactory.create_batch(7, worker="mail-2")
    return sorted(found, key=lambda row: row.pk, reverse=True)


@pytest.mark.parametrize(("most", "reached"), [(1000, 120), (119, 119), (60, 60)])
def test_the_pages_of_a_filter_are_those_of_the_whole(
    admin_client: Client,
    rows: list[Execution],
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    reached: int,
) -> None:
    monkeypatch.setattr(paging, "MOST_COUNTED", most)

    shown: list[Execution] = []
    for number in range(1, -(-reached // 50) + 1):
        shown += admin_client.get(f"{LIST}?worker=mail-1&p={number}").context["cl"].result_list
    changes = admin_client.get(f"{LIST}?worker=mail-1").context["cl"]

    assert shown == rows[:reached]
    assert changes.result_count == reached
    assert changes.paginator.is_capped == (reached < 120)


def test_a_batch_is_listed_in_its_own_order(admin_client: Client) -> None:
    batch = flood(120)

    answer = admin_client.get(f"{LIST}?batch__id__exact={batch.pk}&p=2")

    assert [row.position for row in answer.context["cl"].result_list] == list(range(50, 100))


def test_what_is_rare_is_looked_for_once(admin_client: Client, rows: list[Execution]) -> None:
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(f"{LIST}?worker=mail-2")

    scans = [one for one in captured.captured_queries if "mail-2" in one["sql"]]
    assert [" IN (" in one["sql"] for one in scans] == [False, True]


def test_names_are_left_to_the_order_of_the_database(admin_client: Client) -> None:
    for name in ("b", "A", "a", "Z"):
        ScheduleFactory.create(name=name)
    address = reverse("admin:django_agenda_schedule_changelist")

    filtered = admin_client.get(f"{address}?kind__exact=interval").context["cl"].result_list
    everything = admin_client.get(address).context["cl"].result_list

    assert list(filtered) == list(everything)


def test_no_batch_is_found_twice(admin_client: Client) -> None:
    for _ in range(3):
        flood(5, scene=Scene(elapsed=2, outage=None, refused=0, failing=1, missing=0))
    address = reverse("admin:django_agenda_batch_changelist")

    found = admin_client.get(f"{address}?trouble=failures").context["cl"].result_list

    assert [batch.pk for batch in found] == sorted(Batch.objects.values_list("pk", flat=True))[::-1]

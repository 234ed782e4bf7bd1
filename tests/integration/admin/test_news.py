"""A list says what has come since it was loaded, and does not move its rows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda.clock import now
from tests.factories import CALM, BatchFactory, ExecutionFactory, ScheduleFactory, flood

LISTS = {
    model: reverse(f"admin:django_agenda_{model}_changelist")
    for model in ("batch", "execution", "schedule")
}

pytestmark = pytest.mark.django_db


def asks_at(client: Client, model: str) -> str:
    """Load the list, and return where its page asks."""
    found = re.search(r'data-live="([^"]+)"', client.get(LISTS[model]).content.decode())
    assert found
    return found[1]


def told(client: Client, address: str, **query: Any) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("model", LISTS)
def test_what_came_since_is_counted(admin_client: Client, model: str) -> None:
    BatchFactory.create()
    ExecutionFactory.create_batch(2)
    ScheduleFactory.create()
    address = asks_at(admin_client, model)
    before = told(admin_client, address)

    flood(2, scene=CALM)
    ExecutionFactory.create()
    BatchFactory.create()
    ScheduleFactory.create()

    after = told(admin_client, address)
    many = 3 if model == "execution" else 1
    assert "– show" not in before
    assert f"{many} new – show" in " ".join(after.split())
    assert f'href="{LISTS[model]}?"' in after


def test_only_what_the_filter_finds_is_new(admin_client: Client) -> None:
    ExecutionFactory.create()
    address = asks_at(admin_client, "execution")
    ExecutionFactory.create_batch(2)
    ExecutionFactory.create(status="failed", finished_at=now())

    text = told(admin_client, address, status__exact="failed", p="2")

    assert "1 new – show" in " ".join(text.split())
    assert f'href="{LISTS["execution"]}?status__exact=failed"' in text


def test_very_many_are_not_counted(admin_client: Client) -> None:
    ExecutionFactory.create()
    address = asks_at(admin_client, "execution")
    flood(200, scene=CALM)

    assert "99 new – show (and more)" in " ".join(told(admin_client, address).split())


def test_nothing_new_is_answered_without_a_page(admin_client: Client) -> None:
    ExecutionFactory.create()
    address = asks_at(admin_client, "execution")
    tag = admin_client.get(address)["ETag"]

    same = admin_client.get(address, headers={"if-none-match": tag})

    assert same.status_code == 304
    assert same["X-Agenda-Next"] == "15"


def test_no_row_of_the_list_is_read(admin_client: Client) -> None:
    flood(50, scene=CALM)
    address = asks_at(admin_client, "batch")

    with CaptureQueriesContext(connection) as captured:
        told(admin_client, address)

    assert len(captured) == 3  # the session, the user, the count


@pytest.mark.parametrize("since", ["9" * 13 + "9", "9" * 400, "-1", "x"])
def test_a_moment_that_cannot_be_is_not_found(admin_client: Client, since: str) -> None:
    for address in LISTS.values():
        assert admin_client.get(f"{address}new/{since}/").status_code in (302, 404)

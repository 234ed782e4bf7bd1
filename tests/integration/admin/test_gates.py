"""What the page of an execution says of the policy that holds it up."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from django_agenda import schedule
from django_agenda.clock import now
from django_agenda.models import Execution, Worker
from tests import gated_tasks as tasks
from tests.integration.gates import end, fresh, take

LIST = "admin:django_agenda_execution_changelist"


@pytest.fixture
def looker(client: Client, transactional_db: None) -> Client:
    """Log somebody in who may see executions, but not their arguments."""
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_execution"))
    client.force_login(user)
    return client


def page(client: Client, row: Execution) -> str:
    response = client.get(reverse("admin:django_agenda_execution_change", args=[row.pk]))
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def blocked(worker: Worker, task: Any, *args: Any) -> Execution:
    rows = [schedule(task)(*args) for _ in range(3)]
    take(worker, *rows)
    return fresh(rows[-1])


def test_it_names_the_slot_that_is_waited_for(
    admin_client: Client, living_worker: Worker, looker: Client
) -> None:
    row = blocked(living_worker, tasks.one_of_each, "/dev/null", 7)

    assert "Waits for a slot of customer 7." in page(admin_client, row)
    assert "Waits for a slot: as many of its task run as may." in page(looker, row)


def test_a_secret_is_not_named(admin_client: Client, living_worker: Worker) -> None:
    row = blocked(living_worker, tasks.with_a_secret, "hunter2hunter2")

    assert "hunter2" not in page(admin_client, row)


def test_it_names_the_moment_that_its_rate_has_given_it(
    admin_client: Client, living_worker: Worker, looker: Client
) -> None:
    row = blocked(living_worker, tasks.twice_an_hour)

    assert re.search(r"Moved to (\d+ \w+, )?\d\d:\d\d:\d\d by its rate\.", page(looker, row))


def test_it_says_that_others_may_come(admin_client: Client, living_worker: Worker) -> None:
    row = schedule(tasks.settle_first)("/dev/null", 7, 1)
    take(living_worker, row, moment=now())

    assert "whether others of customer 7 come, by its debounce." in page(admin_client, row)


def test_it_says_by_what_it_was_skipped(
    admin_client: Client, living_worker: Worker, looker: Client
) -> None:
    first, second = schedule(tasks.rarely_each)("acme"), schedule(tasks.rarely_each)("acme")
    [running] = take(living_worker, first)
    end(living_worker, running)
    take(living_worker, second)

    assert "Skipped by a policy of its task." in page(admin_client, second)
    assert "Skipped by its cooldown of customer acme until" in page(admin_client, second)
    assert "acme" not in page(looker, second)


def test_the_list_finds_those_that_wait_for_a_slot(
    admin_client: Client, living_worker: Worker
) -> None:
    row = blocked(living_worker, tasks.alone, "/dev/null")

    content = admin_client.get(reverse(LIST), {"due": "slot"}).content.decode()

    assert str(row.pk) in content
    assert "no free slot" in content

"""The number of statements does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda.admin.memory import memory
from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Worker
from tests.factories import AttemptFactory, ExecutionFactory, Scene, WorkerFactory, flood

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def statements(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def batches(count: int) -> None:
    for _ in range(count):
        flood(20)


def executions(count: int) -> None:
    ExecutionFactory.create_batch(count // 2)
    flood(count // 2)


def workers(count: int) -> None:
    for worker in WorkerFactory.create_batch(count):
        ExecutionFactory.create_batch(5, status="running", claimed_by=worker.pk, started_at=now())


@pytest.mark.parametrize(
    ("model", "make", "few", "many", "most"),
    [
        # Three of them are for the drawings, the lateness, and who planned them.
        ("batch", batches, 3, 30, 8),
        ("execution", executions, 10, 4000, 7),
        # Three of them are for the cards.
        ("worker", workers, 3, 60, 7),
    ],
)
def test_a_list_asks_the_same_for_few_and_many(
    admin_client: Client, model: str, make: Callable[[int], None], few: int, many: int, most: int
) -> None:
    address = reverse(f"admin:django_agenda_{model}_changelist")
    make(few)
    first = statements(admin_client, address)

    make(many)

    assert len(statements(admin_client, address)) == len(first) <= most


def test_the_page_of_a_batch_asks_the_same_for_few_and_many(admin_client: Client) -> None:
    ContentType.objects.get_for_model(Batch)
    counts: dict[str, list[int]] = {}
    for total in (10, 1000, 10_000):
        batch = flood(total, seed=3, scene=Scene(failing=0.4))
        for place in ("change", "live"):
            address = reverse(f"admin:django_agenda_batch_{place}", args=[batch.pk])
            for query in ("", "status=failed", "from=0&to=3600000", "after=7200000-40"):
                memory.forget()
                asked = statements(admin_client, f"{address}?{query}")
                counts.setdefault(f"{place} {query}", []).append(len(asked))

    for few, some, many in counts.values():
        assert few <= some <= 19
        assert many <= 20  # the digest of a large one


def test_a_large_batch_is_counted_once_until_somebody_changes_it(admin_client: Client) -> None:
    batch = flood(5300, seed=3)
    address = reverse("admin:django_agenda_batch_change", args=[batch.pk])

    def counting() -> int:
        return sum("GROUP BY" in sql for sql in statements(admin_client, address))

    memory.forget()
    assert [counting(), counting()] == [6, 0]
    pause = reverse("admin:django_agenda_batch_do", args=[batch.pk, "pause"])
    assert admin_client.post(pause, {"seen": "1"}).status_code == 302

    assert counting() == 6


def test_the_page_of_an_execution_asks_the_same_for_few_and_many(admin_client: Client) -> None:
    ContentType.objects.get_for_model(Execution)
    counts = {}
    for total in (10, 10_000):
        execution = flood(total, seed=3).executions.earliest("position")
        for number in range(1, total // 100 + 2):
            AttemptFactory.create(execution=execution, number=number)
        address = reverse("admin:django_agenda_execution_change", args=[execution.pk])
        counts[total] = len(statements(admin_client, address))

    assert counts[10] == counts[10_000] <= 12


def test_the_page_of_a_worker_asks_the_same_for_few_and_many(admin_client: Client) -> None:
    counts = {}
    ContentType.objects.get_for_model(Worker)  # kept for the life of a process
    for total in (10, 10_000):
        worker = WorkerFactory.create()
        flood(total)
        Execution.objects.filter(status="running").update(claimed_by=worker.pk)
        address = reverse("admin:django_agenda_worker_change", args=[worker.pk])
        counts[total] = len(statements(admin_client, address))

    assert counts[10] == counts[10_000] <= 8


def test_a_page_that_asks_asks_the_same_for_few_and_many(admin_client: Client) -> None:
    counts: dict[str, list[int]] = {}
    for total in (100, 10_000):
        batch = flood(total, seed=3, scene=Scene(failing=0.2))
        for slug in ("enqueue", "retry", "pause", "respread", "reschedule", "cancel"):
            address = reverse("admin:django_agenda_batch_do", args=[batch.pk, slug])
            counts.setdefault(slug, []).append(len(statements(admin_client, address)))

    for few, many in counts.values():
        assert few == many <= 8


def test_no_list_counts_without_a_limit(admin_client: Client) -> None:
    flood(20)

    for model in ("batch", "execution", "worker"):
        address = reverse(f"admin:django_agenda_{model}_changelist")
        counting = [sql for sql in statements(admin_client, address) if "COUNT(" in sql]
        assert all("LIMIT" in sql or "GROUP BY" in sql for sql in counting), counting


def test_no_list_reads_payloads(admin_client: Client) -> None:
    flood(20)

    for sql in statements(admin_client, reverse("admin:django_agenda_execution_changelist")):
        assert '"traceback"' not in sql
        assert '"kwargs"' not in sql


def test_a_page_counts_what_it_shows(admin_client: Client) -> None:
    batch = flood(400)
    response = admin_client.get(reverse("admin:django_agenda_batch_change", args=[batch.pk]))

    histogram = response.context["page"].timeline.histogram

    for status in ("succeeded", "failed", "missed", "pending", "scheduled"):
        assert histogram.of(status) == Execution.objects.filter(status=status).count()

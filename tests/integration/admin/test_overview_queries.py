"""What the overview asks of the database does not grow with what is in it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import CALM, ExecutionFactory, Scene, WorkerFactory, flood

ADDRESS = reverse("admin:django_agenda_overview_changelist")
LIVE = reverse("admin:django_agenda_overview_live")

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def fill(total: int) -> None:
    for _ in range(total // 500 or 1):
        flood(min(total, 500) // 2, scene=Scene(failing=0.3))
    flood(total // 2, scene=Scene(failing=0.3))
    ExecutionFactory.create_batch(total // 100)
    WorkerFactory.create_batch(max(total // 200, 1))


def test_it_asks_the_same_for_ten_and_ten_thousand(admin_client: Client) -> None:
    counts: dict[int, dict[str, int]] = {}
    for total in (10, 10_000):
        fill(total)
        counts[total] = {}
        for address in (ADDRESS, LIVE):
            with CaptureQueriesContext(connection) as captured:
                assert admin_client.get(address).status_code == 200
            counts[total][address] = len(captured)

    assert counts[10_000] == counts[10]
    assert max(counts[10].values()) <= 17


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan of SQLite has no statistics")
def test_no_statement_reads_all_executions(admin_client: Client) -> None:
    fill(10)
    flood(600, scene=CALM)
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(ADDRESS)
    asked = [one["sql"] for one in captured.captured_queries if '_execution"' in one["sql"]]
    plans = []
    for sql in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plans += [row[3] for row in cursor.fetchall()]

    reads = [step for step in plans if "django_agenda_execution" in step]
    assert reads
    assert not [step for step in reads if step.startswith("SCAN")]
    assert any("agenda_exec_single (batch_id=? AND due_at" in step for step in reads)

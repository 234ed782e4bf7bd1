"""What was begun again after a worker was lost is told, and can be looked at."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Attempt, Batch, Worker
from tests.factories import CALM, AttemptFactory, WorkerFactory, flood

pytestmark = pytest.mark.django_db
LIST = reverse("admin:django_agenda_execution_changelist")


def page_of(row: Batch | Worker) -> str:
    return reverse(f"admin:django_agenda_{row._meta.model_name}_change", args=[row.pk])


def lost_worker(name: str = "kiwi") -> Worker:
    moment = now() - timedelta(minutes=3)
    found: Worker = WorkerFactory.create(
        name=name, status="lost", started_at=moment, stopped_at=now(), beat_at=moment
    )
    return found


def lose(batch: Batch, worker: Worker, many: int) -> None:
    for row in batch.executions.order_by("position")[:many]:
        AttemptFactory.create(
            execution=row,
            outcome=Attempt.Outcome.LOST,
            worker=worker.name,
            started_at=now() - timedelta(minutes=1),
            finished_at=now(),
        )


def link_in(client: Client, address: str, words: str) -> str:
    text = client.get(address).content.decode()
    found = re.search(rf'<a href="([^"]*)">{words}</a>', text)
    assert found, words
    return unescape(found[1])


def test_a_batch_tells_what_was_begun_again_and_leads_to_it(admin_client: Client) -> None:
    batch, other = flood(40, scene=CALM), flood(5, scene=CALM)
    worker = lost_worker()
    lose(batch, worker, 9)
    lose(other, worker, 2)

    address = link_in(admin_client, page_of(batch), "9 after worker kiwi was lost")

    assert admin_client.get(address).context["cl"].result_count == 9


def test_a_worker_that_was_lost_tells_it_as_well(admin_client: Client) -> None:
    worker, other = lost_worker(), lost_worker("plum")
    lose(flood(40, scene=CALM), worker, 9)
    Worker.objects.filter(pk=other.pk).update(name="kiwi", started_at=now(), stopped_at=now())

    address = link_in(admin_client, page_of(worker), "9 after worker kiwi was lost")

    assert admin_client.get(address).context["cl"].result_count == 9
    assert "Begun again" not in admin_client.get(page_of(WorkerFactory.create())).text


def test_what_failed_for_good_with_its_worker_was_not_begun_again(admin_client: Client) -> None:
    batch = flood(5, scene=CALM)
    lose(batch, lost_worker(), 1)
    batch.executions.filter(position=0).update(failed_stage="lost")

    assert "Begun again" not in admin_client.get(page_of(batch)).text


def test_a_name_of_nobody_finds_nothing(admin_client: Client) -> None:
    flood(5, scene=CALM)

    for value in ("nobody", "*"):
        response = admin_client.get(LIST, {"lost_by": value})
        assert response.status_code == 200
        assert response.context["cl"].result_count == 0


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plan of SQLite has no statistics")
def test_only_lost_attempts_are_read(admin_client: Client) -> None:
    batch = flood(40, scene=CALM)
    worker = lost_worker()
    lose(batch, worker, 9)
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(page_of(batch))
        admin_client.get(page_of(worker))
        admin_client.get(LIST, {"lost_by": "kiwi"})

    asked = [one["sql"] for one in captured if '"django_agenda_attempt"' in one["sql"]]
    assert len(asked) >= 3
    for sql in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            steps = " | ".join(row[3] for row in cursor.fetchall())
        assert "agenda_attempt_lost" in steps, steps

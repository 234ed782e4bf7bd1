"""What the page of a batch says of its end, and of what keeps it from getting there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from tests import tasks
from tests.factories import CALM, BatchFactory, Scene, WorkerFactory, flood

from .conftest import ClientFor

pytestmark = pytest.mark.django_db

ON_TIME = Scene(elapsed=0.5, outage=None, refused=0.0, failing=0, missing=0, cancelled=0)


def page_of(row: Batch | Execution) -> str:
    return reverse(f"admin:django_agenda_{row._meta.model_name}_change", args=[row.pk])


def facts(client: Client, batch: Batch) -> dict[str, str]:
    return {name: str(value) for name, value in client.get(page_of(batch)).context["page"].facts}


def definition(client: Client, batch: Batch) -> dict[str, str]:
    found = client.get(page_of(batch)).context["page"].definition
    return {name: str(value) for name, value in found}


def set_back(batch: Batch, share: float) -> Batch:
    """Let the part of a batch wait still that was planned last before now."""
    rows = batch.executions.filter(status="succeeded").order_by("-position")
    many = int(rows.count() * share)
    chosen = list(rows.values_list("pk", flat=True)[:many])
    batch.executions.filter(pk__in=chosen).update(
        status="scheduled",
        attempts=0,
        worker="",
        return_value=None,
        **dict.fromkeys(("started_at", "finished_at", "lag_ms", "run_ms")),
    )
    Batch.objects.filter(pk=batch.pk).update(
        succeeded=batch.succeeded - many, scheduled=batch.scheduled + many
    )
    batch.refresh_from_db()
    return batch


def test_a_batch_on_time_is_expected_to_end_with_its_plan(admin_client: Client) -> None:
    batch = flood(200, over=timedelta(hours=1), scene=ON_TIME)
    batch.executions.filter(status="scheduled", due_at__lte=now()).update(due_at=now())

    said = facts(admin_client, batch)["Expected end"]

    assert f"{batch.end:%H:%M}" in said
    assert "after the window" not in said


def test_one_that_is_behind_is_expected_to_end_later(admin_client: Client) -> None:
    batch = set_back(flood(200, over=timedelta(hours=1), scene=ON_TIME), 0.5)

    # A quarter in 30 minutes: the other three quarters take 90.
    assert "1 h after the window" in facts(admin_client, batch)["Expected end"]


def test_nothing_is_expected_of_what_is_paused_or_has_ended(admin_client: Client) -> None:
    paused = flood(20, scene=ON_TIME)
    Batch.objects.filter(pk=paused.pk).update(paused_at=now())
    ended = flood(20, scene=Scene(elapsed=2.0, outage=None, refused=0.0))

    assert "Expected end" not in facts(admin_client, paused)
    assert "Expected end" not in facts(admin_client, ended)


def test_the_definition_tells_what_is_called_and_where_that_is(
    admin_client: Client, client_for: ClientFor
) -> None:
    batch = flood(20, scene=CALM)
    batch.executions.update(task_name=tasks.echo.name, args=[7], kwargs={"password": "s3cr3t"})

    said = definition(admin_client, batch)

    assert said["Task"] == tasks.echo.name
    assert said["Source"].startswith("tests/tasks.py:")
    assert "[ 7 ]" in said["First call"]
    assert "s3cr3t" not in said["First call"]
    assert "First call" not in definition(client_for("view_batch"), batch)


def test_the_timeline_shows_how_many_ran_at_once_and_who_did_what_when(
    admin_client: Client,
) -> None:
    # It lives, however slow the machine is that runs this.
    WorkerFactory.create(concurrency=16, beat_at=now() + timedelta(hours=1))
    batch = flood(300, over=timedelta(minutes=2), scene=ON_TIME)
    pause = reverse("admin:django_agenda_batch_do", args=[batch.pk, "pause"])
    assert admin_client.post(pause, {"seen": "1"}).status_code == 302

    page = admin_client.get(page_of(batch)).context["page"]

    assert page.timeline.peak >= 1
    assert page.timeline.drawing.at_once.capacity == 16
    assert ["Paused" in mark.words for mark in page.timeline.drawing.marks] == [True]
    figures = {figure.name: figure.value for tile in page.tiles for figure in tile.figures}
    assert figures["at once"] == str(page.timeline.peak)
    assert "…" in figures["off its slots"]


def test_the_page_offers_the_last_minutes_and_the_failures(admin_client: Client) -> None:
    batch = flood(400, over=timedelta(hours=4))

    def steps(query: str = "") -> dict[str, str]:
        found = admin_client.get(page_of(batch) + query).context["page"].steps
        return {step.label: step.url for step in found}

    assert set(steps()) >= {"Last 15 min", "Failures only", "Around now"}
    lately = admin_client.get(page_of(batch) + steps()["Last 15 min"]).context["page"]
    assert int(lately.timeline.drawing.hi) - int(lately.timeline.drawing.lo) == 900_000
    assert "Failures only" not in steps("?status=failed")


def test_the_timeline_says_how_far_its_clock_is_from_utc(admin_client: Client) -> None:
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    batch = BatchFactory.create(start=start, over=timedelta(hours=24))
    with timezone.override("Europe/Berlin"):
        page = admin_client.get(page_of(batch)).context["page"]

    assert page.zone_offset == "UTC+0200 – UTC+0100"

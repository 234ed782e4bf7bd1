"""The fragments that keep a page fresh."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

import django_agenda
from django_agenda.admin.wording import batch_sentence
from django_agenda.clock import now
from django_agenda.models import Batch
from tests.factories import CALM, Scene, flood

from .conftest import ClientFor

STATIC = Path(django_agenda.__file__).parent / "static"

pytestmark = pytest.mark.django_db


def live(batch: Batch) -> str:
    return reverse("admin:django_agenda_batch_live", args=[batch.pk])


def move(batch: Batch, **counts: int) -> None:
    """Change a batch's row as a worker's outcomes do, without the rows below it."""
    changes = {name: F(name) + count for name, count in counts.items()}
    Batch.objects.filter(pk=batch.pk).update(version=F("version") + 1, **changes)


def test_the_fragment_is_the_page_without_its_frame(admin_client: Client) -> None:
    batch = flood(300)

    response = admin_client.get(live(batch))

    page = response.content.decode()
    assert "<html" not in page
    assert batch_sentence(batch) in page
    assert 'class="ag-svg' in page
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


def test_the_page_tells_where_its_fragment_is_and_what_it_shows(admin_client: Client) -> None:
    batch = flood(300, over=timedelta(days=300))
    page = admin_client.get(reverse("admin:django_agenda_batch_change", args=[batch.pk]))

    known = page.context["live"].tag
    response = admin_client.get(live(batch), headers={"if-none-match": known})

    assert f'data-live="{live(batch)}"' in page.content.decode()
    assert response.status_code == 304


def test_nothing_is_rendered_while_nothing_has_changed(admin_client: Client) -> None:
    batch = flood(300, over=timedelta(days=300))
    first = admin_client.get(live(batch))

    with CaptureQueriesContext(connection) as captured:
        again = admin_client.get(live(batch), headers={"if-none-match": first["ETag"]})

    assert again.status_code == 304
    assert not again.content
    assert again["ETag"] == first["ETag"]
    assert again["X-Agenda-Next"] == "2"
    # The session, the user, the batch, and the operations on it.
    assert len(captured) <= 4


def test_a_change_is_shown(admin_client: Client) -> None:
    batch = flood(300, over=timedelta(days=300), scene=CALM)
    first = admin_client.get(live(batch))
    move(batch, scheduled=-1, skipped=1)

    again = admin_client.get(live(batch), headers={"if-none-match": first["ETag"]})
    move(batch, scheduled=1, skipped=-1)

    assert again.status_code == 200
    assert "1 skipped" in again.content.decode()


def test_time_alone_moves_the_page_of_what_has_not_ended(admin_client: Client) -> None:
    batch = flood(300)
    first = admin_client.get(live(batch))
    Batch.objects.filter(pk=batch.pk).update(start=F("start") - timedelta(minutes=2))

    again = admin_client.get(live(batch), headers={"if-none-match": first["ETag"]})

    assert again.status_code == 200


def test_each_part_of_the_window_has_its_own_tag(admin_client: Client) -> None:
    batch = flood(900, scene=Scene(elapsed=2.0, refused=0))
    whole = admin_client.get(live(batch))

    part = admin_client.get(
        f"{live(batch)}?from=0&to=60000", headers={"if-none-match": whole["ETag"]}
    )

    assert part.status_code == 200
    assert "ag-plot-rows" in part.content.decode()


@pytest.mark.parametrize(
    ("scene", "fewest", "most"),
    [
        (Scene(elapsed=2.0, refused=0), 0, 0),
        (Scene(elapsed=0.5), 2, 60),
        (Scene(elapsed=-3.0, refused=0), 30, 60),
    ],
)
def test_the_answer_says_when_to_ask_again(
    admin_client: Client, scene: Scene, fewest: int, most: int
) -> None:
    batch = flood(100, scene=scene)

    assert fewest <= int(admin_client.get(live(batch))["X-Agenda-Next"]) <= most


def test_a_paused_batch_is_asked_for_seldom(admin_client: Client) -> None:
    batch = flood(100)
    Batch.objects.filter(pk=batch.pk).update(paused_at=now())

    assert int(admin_client.get(live(batch))["X-Agenda-Next"]) >= 10


def test_the_page_of_what_has_ended_does_not_ask(admin_client: Client) -> None:
    batch = flood(100, scene=Scene(elapsed=2.0, refused=0))

    page = admin_client.get(reverse("admin:django_agenda_batch_change", args=[batch.pk]))

    assert 'class="ag-live"' not in page.content.decode()


@pytest.mark.parametrize("method", ["post", "put", "delete", "head"])
def test_only_get_is_answered(admin_client: Client, method: str) -> None:
    batch = flood(10)

    assert getattr(admin_client, method)(live(batch)).status_code == 405


def test_the_rights_are_those_of_the_page(client_for: ClientFor) -> None:
    batch = flood(50, scene=Scene(failing=0.3))
    assert Client().get(live(batch)).status_code == 302

    fragment = client_for("view_batch").get(live(batch)).content.decode()

    assert batch_sentence(batch) in fragment
    assert 'id="executions"' not in fragment


def test_without_the_right_not_even_a_304_is_given(
    admin_client: Client, client_for: ClientFor
) -> None:
    batch = flood(50)
    known = admin_client.get(live(batch))["ETag"]

    response = client_for("view_worker").get(live(batch), headers={"if-none-match": known})

    assert response.status_code == 403


@pytest.mark.parametrize("gone", ["9999", "nonsense"])
def test_a_batch_that_is_gone_is_not_found(admin_client: Client, gone: str) -> None:
    address = reverse("admin:django_agenda_batch_live", args=[gone])

    assert admin_client.get(address).status_code == 404


def test_all_scripts_together_are_small() -> None:
    assert sum(script.stat().st_size for script in STATIC.rglob("*.js")) < 8 * 1024

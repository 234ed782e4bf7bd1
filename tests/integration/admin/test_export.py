"""Batches as files."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from django_agenda.models import Batch
from tests.factories import CALM, flood

from .conftest import ClientFor

pytestmark = pytest.mark.django_db
LIST = reverse("admin:django_agenda_batch_changelist")


def export(client: Client, kind: str, *batches: Batch) -> str:
    sent = {"action": f"export_{kind}", ACTION_CHECKBOX_NAME: [batch.pk for batch in batches]}
    answer: Any = client.post(LIST, sent)
    assert answer.status_code == 200
    assert f'filename="batches.{kind}"' in answer.headers["Content-Disposition"]
    return b"".join(answer.streaming_content).decode()


def test_ticked_batches_are_a_table(client_for: ClientFor) -> None:
    batch = flood(20, scene=CALM, name="=HYPERLINK(1)", key="mails", labels=["a", "b"])
    flood(5, scene=CALM)

    rows = list(csv.DictReader(export(client_for("view_batch"), "csv", batch).splitlines()))

    assert len(rows) == 1
    assert rows[0]["name"] == "'=HYPERLINK(1)"
    assert (rows[0]["id"], rows[0]["key"], rows[0]["labels"]) == (str(batch.pk), "mails", "a b")
    assert int(rows[0]["succeeded"]) == batch.succeeded
    assert rows[0]["over_s"] == "14400.0"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "\uff1d"])
@pytest.mark.parametrize("field", ["name", "key", "pause_reason", "enqueue_error"])
def test_no_cell_is_a_formula(admin_client: Client, sign: str, field: str) -> None:
    batch = flood(5, scene=CALM, labels=[f"{sign}1"])
    alive = {"live_key": f"{sign}1"} if field == "key" else {}
    Batch.objects.filter(pk=batch.pk).update(**{field: f"{sign}1"}, **alive)

    text = export(admin_client, "csv", batch)

    row = next(csv.DictReader(io.StringIO(text, newline="")))
    assert row[field] == row["labels"] == f"'{sign}1"


def test_ticked_batches_are_a_list_of_objects(admin_client: Client) -> None:
    batches = [flood(20, scene=CALM, name=name) for name in ("Grüße", "b")]

    found = json.loads(export(admin_client, "json", *batches))

    assert {one["name"] for one in found} == {"Grüße", "b"}
    assert found[0]["total"] == 20
    assert found[0]["start"].endswith("+00:00")


def test_one_batch_is_an_object_that_its_page_leads_to(admin_client: Client) -> None:
    batch = flood(20)
    address = reverse("admin:django_agenda_batch_json", args=[batch.pk])
    page = admin_client.get(reverse("admin:django_agenda_batch_change", args=[batch.pk]))

    found = admin_client.get(address).json()

    assert f'href="{address}"' in page.content.decode()
    assert found["status"] == batch.status
    assert sum(found[name] for name in Batch.COUNTS if name != "total") == 20


def test_secrets_in_an_error_are_not_in_a_file(admin_client: Client) -> None:
    batch = flood(20)
    Batch.objects.filter(pk=batch.pk).update(enqueue_error="redis://user:s3cr3tword@host refused")

    assert "s3cr3tword" not in export(admin_client, "json", batch)

"""The page of an execution: what led to it, what it led to, and how far it is."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from tests.factories import BatchFactory, ExecutionFactory

pytestmark = pytest.mark.django_db


def page_of(client: Client, row: Execution | Batch) -> str:
    name = f"admin:django_agenda_{row._meta.model_name}_change"
    return client.get(reverse(name, args=[row.pk])).content.decode()


def single(**given: object) -> Execution:
    row = ExecutionFactory.create(batch=None, **given)
    Execution.objects.filter(pk=row.pk).update(live_key=row.key)
    return row


def test_a_chain_is_shown_from_its_first_to_its_last(admin_client: Client) -> None:
    chain = [single(key="link-0")]
    chain += [single(key=f"link-{n}", parent=chain[-1]) for n in range(1, 2)]
    chain.append(single(key="link-2", parent=chain[-1]))

    page = page_of(admin_client, chain[1])

    assert "Chain" in page
    places = [page.index(f"· link-{number}") for number in range(3)]
    assert places == sorted(places)
    assert reverse("admin:django_agenda_execution_change", args=[chain[0].pk]) in page


def test_a_chain_that_is_long_or_bites_its_tail_is_cut(admin_client: Client) -> None:
    first, second = single(key="a"), single(key="b")
    Execution.objects.filter(pk=first.pk).update(parent=second)
    Execution.objects.filter(pk=second.pk).update(parent=first)

    assert "…" in page_of(admin_client, first)


def test_a_fan_out_is_counted_and_leads_to_all_of_it(admin_client: Client) -> None:
    parent = single(key="parent")
    for number in range(12):
        single(key=f"child-{number}", parent=parent)
    batch = BatchFactory.create(name="Letters", parent=parent)

    page = page_of(admin_client, parent)

    assert "Fan-out" in page
    assert "1 batch + 12 executions" in page
    assert "Letters" in page
    assert page.count("· child-") == 10
    address = f"{reverse('admin:django_agenda_execution_changelist')}?parent={parent.pk}"
    assert address in page
    assert "12 executions" in admin_client.get(address).content.decode()
    assert "parent" in page_of(admin_client, batch)


def test_an_execution_without_relatives_shows_none(admin_client: Client) -> None:
    page = page_of(admin_client, single())

    assert "Chain" not in page
    assert "Fan-out" not in page


def test_its_progress_is_a_bar_with_numbers(admin_client: Client) -> None:
    row = single(status="running", progress_done=370, progress_total=1000, progress_message="x<y")

    page = page_of(admin_client, row)

    assert 'value="0.3700"' in page
    assert "370 of 1,000 (37 %)" in page
    assert "x&lt;y" in page
    changelist = admin_client.get(reverse("admin:django_agenda_execution_changelist"))
    assert "370 of 1,000 (37 %)" in changelist.content.decode()


def test_a_progress_without_a_total_is_a_number(admin_client: Client) -> None:
    page = page_of(admin_client, single(status="running", progress_done=5, progress_total=None))

    assert "<progress" not in page
    assert "<span>5</span>" in page


def test_the_fragment_changes_with_the_progress_and_rests_after_the_end(
    admin_client: Client,
) -> None:
    row = single(status="running", progress_done=1, progress_total=2)
    address = reverse("admin:django_agenda_execution_live", args=[row.pk])
    first = admin_client.get(address)
    Execution.objects.filter(pk=row.pk).update(progress_done=2)
    second = admin_client.get(address, headers={"if-none-match": first["ETag"]})

    assert "<html" not in first.content.decode()
    assert second.status_code == 200
    assert int(second["X-Agenda-Next"]) >= 2

    ended = ExecutionFactory.create(batch=None, status="succeeded", finished_at=now())
    again = admin_client.get(reverse("admin:django_agenda_execution_live", args=[ended.pk]))
    assert again["X-Agenda-Next"] == "0"


def test_a_fragment_of_nothing_is_not_found(admin_client: Client) -> None:
    address = reverse("admin:django_agenda_execution_live", args=[uuid4()])

    assert admin_client.get(address).status_code == 404


def test_a_parent_that_is_no_id_shows_an_empty_list_and_no_error(admin_client: Client) -> None:
    address = reverse("admin:django_agenda_execution_changelist")

    assert admin_client.get(f"{address}?parent=x'y", follow=True).status_code == 200

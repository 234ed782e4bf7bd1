"""Looking changes nothing, forged forms are refused, and limits of other admins are heeded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.test import Client

from django_agenda.models import (
    Attempt,
    Batch,
    ErrorGroup,
    Execution,
    Operation,
    OperationPart,
    PausedQueue,
    Worker,
)
from tests.conftest import RedisServer
from tests.factories import WorkerFactory
from tests.integration.admin.test_pages import NOT_ALLOWED

from .acting import action_url, asked, broken, done, list_url, one, to_come

START = "/admin/django_agenda/"
_LINK = re.compile(r'href="([^"#]*)')


def snapshot(redis_server: RedisServer) -> list[Any]:
    models: tuple[type[Model], ...] = (Batch, Execution, Attempt, Worker, ErrorGroup, LogEntry)
    models += (PausedQueue, Operation, OperationPart)
    keys = sorted(map(str, redis_server.client.scan_iter()))
    return [keys, *([*model._default_manager.order_by("pk").values_list()] for model in models)]


def crawl(client: Client, first: str) -> Iterator[tuple[str, str]]:
    """Get every address of this app that is linked from the first, however far away."""
    seen, todo = {first}, [first]
    while todo:
        address = todo.pop()
        response = client.get(address, follow=True)
        assert response.status_code == 200, address
        text = response.content.decode()
        yield address, text
        for found in _LINK.findall(text):
            # Filters, zooms and pages of the same address are the same view.
            url = found if "/do/" in found else found.partition("?")[0]
            if url.startswith(START) and url not in seen:
                seen.add(url)
                todo.append(url)


def test_following_every_link_changes_nothing(
    admin_client: Client, redis_server: RedisServer
) -> None:
    broken(20)
    to_come(2)
    WorkerFactory.create()
    Operation.objects.create(kind="retry", model="batch", total=5)
    before = snapshot(redis_server)

    pages = dict(crawl(admin_client, START))

    assert snapshot(redis_server) == before
    assert sum("/do/" in address for address in pages) > 20
    for address, text in pages.items():
        assert not NOT_ALLOWED.search(text), address


def test_a_form_without_its_token_is_refused(admin_client: Client) -> None:
    batch = broken()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin_client.cookies

    assert strict.post(action_url(batch, "cancel")).status_code == 403
    assert strict.post(action_url(one("failed", batch), "retry")).status_code == 403
    fields = {"action": "cancel", "_selected_action": str(batch.pk), "confirmed": "yes"}
    assert strict.post(list_url(Batch), fields).status_code == 403

    assert Batch.objects.get(pk=batch.pk).version == batch.version


def test_a_form_with_its_token_is_taken(admin_client: Client) -> None:
    batch = to_come()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin_client.cookies
    page = strict.get(action_url(batch, "pause")).content.decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found

    token = {"csrfmiddlewaretoken": found[1]}
    assert strict.post(action_url(batch, "pause"), token).status_code == 302

    assert Batch.objects.get(pk=batch.pk).status == "paused"


def test_executions_that_the_user_does_not_see_are_left_alone(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = broken(200)
    some = list(batch.executions.filter(status="failed").values_list("pk", flat=True)[:2])
    hidden = batch.executions.filter(status="failed").exclude(pk__in=some)[0]

    def limited(request: HttpRequest) -> QuerySet[Execution]:
        return Execution.objects.filter(pk__in=some)

    monkeypatch.setattr(admin.site.get_model_admin(Execution), "get_queryset", limited)

    assert "Retry 2 executions" in asked(admin_client, batch, "retry")
    assert done(admin_client, batch, "retry") == "Retried 2 executions."
    assert Execution.objects.get(pk=hidden.pk).status == "failed"
    assert admin_client.get(action_url(hidden, "retry")).status_code == 302


@pytest.mark.parametrize(
    "query", ["?error=", "?page=x&all=%00", "?_popup=1", "?_changelist_filters=%27"]
)
def test_hostile_queries_get_a_page(admin_client: Client, query: str) -> None:
    response = admin_client.get(action_url(broken(), "retry") + query)

    assert response.status_code == 200


def test_hostile_forms_of_a_list_do_nothing(admin_client: Client) -> None:
    batch = to_come()
    address = list_url(Batch)
    fields = {"action": "cancel", "confirmed": "yes"}

    for more in (
        {"_selected_action": "nonsense"},
        {"_selected_action": "9" * 40},
        {"_selected_action": "\0"},
        {"_selected_action": ""},
        {"_selected_action": str(batch.pk), "index": "0", "action": "nonsense"},
        {"_selected_action": str(batch.pk), "select_across": "x", "action": "delete_selected"},
        {},
    ):
        assert admin_client.post(address, {**fields, **more}).status_code in (200, 302, 400), more

    assert Batch.objects.get(pk=batch.pk).version == batch.version

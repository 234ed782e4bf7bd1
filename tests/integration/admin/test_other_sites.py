"""An admin site of the project's own: every link of our pages stays on it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import path, resolve

import django_agenda.admin as ours
from django_agenda.admin import BatchAdmin, register_on
from django_agenda.models import Batch, Execution
from tests.browser.walk import furnish

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

START = "/operations/django_agenda/"
_LINK = re.compile(r'(?:href|action|data-live)="(/[^"#?]*)')

operations = admin.AdminSite(name="operations")
register_on(operations)
urlpatterns = [path("admin/", admin.site.urls), path("operations/", operations.urls)]


def test_every_page_of_the_default_site_is_registered() -> None:
    models = {one for one in admin.site._registry if one._meta.app_label == "django_agenda"}

    assert set(operations._registry) == models
    shown = {type(one).__name__ for one in operations._registry.values()}
    assert shown == {name for name in ours.__all__ if name.endswith("Admin")}


def test_what_is_registered_already_stays() -> None:
    class Mine(BatchAdmin):
        pass

    site = admin.AdminSite(name="mine")
    site.register(Batch, Mine)
    register_on(site)
    register_on(site)

    assert type(site.get_model_admin(Batch)) is Mine
    assert site.is_registered(Execution)


@pytest.mark.slow
def test_no_link_leads_to_another_site(
    admin_client: Client, configure: Callable[..., None], redis_server: object
) -> None:
    furnish()
    todo, kinds, elsewhere = [START], set(), []
    while todo:
        address = todo.pop()
        match = resolve(address)
        kind = match.view_name, match.kwargs.get("slug")
        if kind in kinds:
            continue
        kinds.add(kind)
        response = admin_client.get(address)
        assert response.status_code == 200, address
        links = _LINK.findall(response.content.decode())
        allowed = ("/operations/", "/static/")
        elsewhere += [link for link in links if not link.startswith(allowed) and link != "/"]
        todo += [link for link in links if link.startswith(START)]

    assert not elsewhere
    assert len(kinds) > 40

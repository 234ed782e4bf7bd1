"""The batches of a project's own rows, on their pages in the project's admin."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.db.models import Model, QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils.translation import gettext_lazy

from django_agenda.admin import BatchAdmin, BatchInline
from django_agenda.admin.wording import batch_sentence
from django_agenda.models import Batch, label_of
from tests.factories import CALM, BatchFactory, Scene, flood

from .conftest import ClientFor
from .test_pages import NOT_ALLOWED

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

site = admin.AdminSite(name="shop")


class ByKey(BatchInline):
    verbose_name_plural = gettext_lazy("letters")

    def batches(self, rows: QuerySet[Batch], obj: Model) -> QuerySet[Batch]:
        return rows.filter(key=f"group-{obj.pk}")


class GroupAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    inlines = (BatchInline, ByKey)


site.register(Group, GroupAdmin)
site.register(Batch, BatchAdmin)
urlpatterns = [path("shop/", site.urls)]


@pytest.fixture
def group() -> Group:
    return Group.objects.create(name="Readers")


def page_of(group: Group) -> str:
    return f"/shop/auth/group/{group.pk}/change/"


def shown(client: Client, group: Group) -> str:
    response = client.get(page_of(group))
    assert response.status_code == 200
    return response.content.decode()


def test_a_row_shows_the_batches_that_carry_its_label(admin_client: Client, group: Group) -> None:
    batch = flood(20, name="Greetings", labels=["mail", label_of(group)], scene=Scene(failing=0.5))
    flood(5, name="Of another", labels=[f"{label_of(group)}0"], scene=CALM)

    text = shown(admin_client, group)

    assert label_of(group) == f"auth.group:{group.pk}"
    assert f'href="/shop/django_agenda/batch/{batch.pk}/change/"' in text
    assert batch_sentence(batch) in text
    assert "Of another" not in text
    assert "Letters" in text
    assert "No batch is about this yet." in text
    assert not NOT_ALLOWED.search(
        text.partition("agenda-batches-group")[2].partition("</section>")[0]
    )


def test_a_project_says_which_batches_are_meant(admin_client: Client, group: Group) -> None:
    flood(5, name="By its key", key=f"group-{group.pk}", scene=CALM)

    text = shown(admin_client, group)

    assert "By its key" in text.partition("Letters")[2]
    assert "By its key" not in text.partition("Letters")[0]


def test_what_is_tried_again_after_the_window_is_told(admin_client: Client, group: Group) -> None:
    scene = Scene(elapsed=2, outage=None, refused=0, failing=0.4, cancelled=0)
    batch = flood(20, labels=[label_of(group)], scene=scene)

    many = batch.retry_failed(over=timedelta(hours=1))

    assert f"{many - 1} are due after the window, until" in shown(admin_client, group)


def test_the_form_of_the_row_is_saved_as_before(admin_client: Client, group: Group) -> None:
    batch = flood(5, labels=[label_of(group)], scene=CALM)

    for fields in ({"name": "Writers"}, {"name": "Editors", "agenda-batches-TOTAL_FORMS": "9"}):
        response = admin_client.post(page_of(group), fields)
        assert response.status_code == 302
        assert Group.objects.get().name == fields["name"]

    assert Batch.objects.get(pk=batch.pk).version == batch.version
    added = admin_client.post("/shop/auth/group/add/", {"name": "New"})
    assert added.status_code == 302
    assert admin_client.get("/shop/auth/group/add/").status_code == 200


def test_who_may_see_no_batches_sees_none(client_for: ClientFor, group: Group) -> None:
    flood(5, name="Greetings", labels=[label_of(group)], scene=CALM)
    client = client_for()
    User.objects.get().user_permissions.add(Permission.objects.get(codename="view_group"))

    text = shown(client, group)

    assert "Readers" in text
    assert "Greetings" not in text
    assert "agenda-batches" not in text


def test_text_of_others_is_never_markup(admin_client: Client, group: Group) -> None:
    flood(5, name="<script>alert(1)</script>", labels=[label_of(group)], scene=CALM)

    assert "<script>alert" not in shown(admin_client, group)


def test_it_asks_the_same_for_few_and_many(admin_client: Client, group: Group) -> None:
    counts, text = [], ""
    for many in (1, 30):
        BatchFactory.create_batch(many, labels=[label_of(group)])
        with CaptureQueriesContext(connection) as captured:
            text = shown(admin_client, group)
        counts.append(
            len([one for one in captured.captured_queries if "agenda_batch" in one["sql"]])
        )

    assert counts == [2, 2]
    assert text.count('class="ag-title"') == 20


def test_django_checks_it_and_finds_nothing() -> None:
    assert not GroupAdmin(Group, site).check()


def test_what_is_not_saved_has_no_label() -> None:
    with pytest.raises(ValueError, match="is not saved"):
        label_of(Group())

"""What a project puts on its own pages: two tags, and the progress of a batch as JSON."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.http import Http404, HttpRequest
from django.template import Context, Template
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from django_agenda.admin import wording
from django_agenda.models import Batch
from django_agenda.views import progress_view
from tests.factories import CALM, Scene, flood

from .test_pages import NOT_ALLOWED

pytestmark = pytest.mark.django_db


def rendered(text: str, **values: Any) -> str:
    return Template("{% load agenda %}" + text).render(Context(values))


def answer(batch_id: int, *, allowed: bool = True, **headers: str) -> Any:
    request = RequestFactory().get("/progress/", headers=headers)
    return progress_view(lambda _request, _batch: allowed)(request, pk=batch_id)


def test_progress_is_a_bar_and_a_sentence_without_a_statement() -> None:
    batch = flood(300)

    with CaptureQueriesContext(connection) as captured:
        text = rendered("{% agenda_progress batch %}", batch=batch)

    assert not captured
    assert (
        text.count(wording.batch_sentence(batch)) == 3
    )  # in words, as a tooltip, and for screen readers
    assert "partly scheduled" in text
    assert 'class="ag-fill ag-s-failed"' in text


@pytest.mark.parametrize(("total", "detail"), [(20, "rows"), (900, "dots"), (5200, "density")])
def test_the_timeline_is_that_of_the_admin_without_links(total: int, detail: str) -> None:
    batch = flood(total)

    with CaptureQueriesContext(connection) as captured:
        text = rendered("{% agenda_timeline batch %}", batch=batch)

    assert len(captured) <= 4
    assert f"ag-plot-{detail}" in text
    assert f'aria-label="{wording.batch_sentence(batch)}"' in text
    assert "<a " not in text
    assert not NOT_ALLOWED.search(text)


def test_an_empty_batch_has_progress_and_no_drawing() -> None:
    batch = flood(0)

    text = rendered("{% agenda_progress batch %}{% agenda_timeline batch %}", batch=batch)

    assert "nothing to run of 0" in text
    assert "ag-plot" not in text


def test_the_icons_are_on_a_page_once() -> None:
    both = "{% agenda_progress batch %}{% agenda_timeline batch %}"

    text = rendered(
        f"{{% for batch in batches %}}{both}{{% endfor %}}", batches=[flood(10), flood(10)]
    )

    assert text.count('id="ag-i-failed"') == 1


def test_text_of_others_is_never_markup_in_the_tags() -> None:
    evil = '"><script>alert(1)</script>'
    batch = flood(5, name=evil, scene=CALM)
    batch.executions.update(task_name=evil)

    text = rendered("{% agenda_progress batch %}{% agenda_timeline batch %}", batch=batch)

    assert "<script>alert" not in text


def test_a_nonce_is_given_where_there_is_one() -> None:
    assert rendered("{% agenda_nonce %}") == ""
    assert rendered("{% agenda_nonce %}", csp_nonce="a1") == ' nonce="a1"'
    request = SimpleNamespace(csp_nonce="b2")
    assert rendered("{% agenda_nonce %}", request=request) == ' nonce="b2"'


def test_progress_as_json_tells_counts_and_no_contents() -> None:
    batch = flood(300, name="Secret", key="secret-key", scene=Scene(failing=0.2))

    response = answer(batch.pk)

    told = json.loads(response.content)
    assert told["total"] == 300
    assert told["done"] == batch.done
    assert told["progress"] == batch.progress
    assert sum(told[name] for name in Batch.COUNTS) == 300
    assert told["status"] == batch.status
    assert not re.search("secret|Timeout|reminder", response.content.decode(), re.IGNORECASE)
    assert response["Cache-Control"] == "private, no-cache"


def test_who_has_the_state_already_gets_304() -> None:
    batch = flood(50, scene=CALM)
    known = {"if-none-match": answer(batch.pk)["ETag"]}

    assert answer(batch.pk, **known).status_code == 304
    Batch.objects.filter(pk=batch.pk).update(version=batch.version + 1)
    assert answer(batch.pk, **known).status_code == 200


def test_who_may_not_see_it_learns_nothing() -> None:
    batch = flood(50, scene=CALM)
    known = answer(batch.pk)["ETag"]

    with pytest.raises(Http404):
        answer(batch.pk, allowed=False)
    with pytest.raises(Http404):
        answer(batch.pk, allowed=False, **{"if-none-match": known})
    with pytest.raises(Http404):
        answer(batch.pk + 1)


def test_the_callable_is_given_the_request_and_the_batch() -> None:
    batch = flood(5, scene=CALM)
    asked: list[tuple[str, int]] = []

    def may_see(request: HttpRequest, found: Batch) -> bool:
        asked.append((request.path, found.pk))
        return True

    progress_view(may_see)(RequestFactory().get("/p/"), pk=batch.pk)

    assert asked == [("/p/", batch.pk)]


def test_progress_is_only_read() -> None:
    batch = flood(5, scene=CALM)

    assert (
        progress_view(lambda *_: True)(RequestFactory().post("/"), pk=batch.pk).status_code == 405
    )

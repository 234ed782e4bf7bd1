"""Texts of others are never markup, and no address breaks a page: on every page of this app.

The pages are those of the url resolver, so a page that comes later is among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.test import Client
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import (
    Attempt,
    Batch,
    Digest,
    ErrorGroup,
    Execution,
    Fleet,
    Gate,
    Operation,
    OperationPart,
    PausedQueue,
    Schedule,
    Strike,
    Worker,
)
from django_agenda.models.fields import LabelsField, PayloadField
from tests.factories import AttemptFactory, ScheduleFactory, WorkerFactory

from .actions.test_matrix import Rows, addresses
from .hostile import QUERIES, VECTORS

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

KIND = "0123456789abcdef"
# Of our texts these are chosen from a list, or are names that nothing shows.
NOT_FREE = {
    "status",
    "failed_stage",
    "error_fingerprint",
    "outcome",
    "state",
    "strategy",
    "held_by",
    "rollup",
    "model",
}
_LINKS = {"href", "src", "action", "formaction", "xlink:href", "data", "poster"}
_LISTS = ("batch", "execution", "schedule", "worker", "operation")


class Structure(HTMLParser):
    """Collect which tags and attributes a page has, where its links go, and its bare scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.raw: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(f"{tag} {name}")
            if name in _LINKS:
                self.links.append((value or "").strip().lower())

    def handle_data(self, data: str) -> None:
        if self.cdata_elem in ("script", "style"):
            self.raw.append(data)

    def handle_comment(self, data: str) -> None:
        self.raw.append(data)

    def handle_pi(self, data: str) -> None:
        self.raw.append(data)

    def unknown_decl(self, data: str) -> None:
        self.raw.append(data)


def structure(text: str) -> Structure:
    found = Structure()
    found.feed(text)
    found.close()
    return found


def texts_of(model: type[models.Model], words: str) -> dict[str, str]:
    """Return those words for every text of a model that is free, as long as it may be."""
    return {
        field.name: words[: field.max_length]
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField)
        and not field.choices
        and not isinstance(field, PayloadField | LabelsField)
        and field.name not in NOT_FREE
        and not field.primary_key
        and "live" not in field.name
    }


def payload_of(words: str) -> dict[str, Any]:
    return {
        "args": [words],
        "kwargs": {words: words},
        "return_value": {words: [words]},
        "labels": [words[:64]],
    }


def fill(words: str) -> Rows:
    """Put those words into every text that any page shows."""
    said, payload = texts_of(Execution, words), payload_of(words)
    key = said["key"]
    labels: Any = payload["labels"]
    batch = Batch.objects.create(
        labels=labels,
        start=now(),
        over=timedelta(hours=1),
        total=3,
        failed=1,
        pending=1,
        running=1,
        told_until=1,
        paused_at=now(),
        live_key=texts_of(Batch, words)["key"],
        **texts_of(Batch, words),
    )
    failed = Execution.objects.create(
        batch=batch,
        status="failed",
        failed_stage="run",
        error_fingerprint=KIND,
        finished_at=now(),
        attempts=2,
        **payload,
        **said,
    )
    waiting = said | {"held_by": words[:32], "key": key[:-1] + "2"}
    for place, status in enumerate(("pending", "running"), 1):
        waiting["key"] = f"{key[:-1]}{place}"
        Execution.objects.create(
            batch=batch,
            position=place,
            status=status,
            failed_stage="enqueue",
            error_fingerprint=KIND[::-1],
            started_at=now(),
            live_key=waiting["key"],
            **payload,
            **waiting,
        )
    gate = Gate.objects.create(pk=uuid4(), kind="concurrency", **texts_of(Gate, words))
    Execution.objects.create(task_name=words[:255], held_by=Execution.NO_SLOT, gate=gate.pk)
    AttemptFactory.create(execution=failed, **texts_of(Attempt, words))
    PausedQueue.objects.create(name=words[:64])
    ErrorGroup.objects.create(pk=KIND, **texts_of(ErrorGroup, words))
    rows: list[Batch | Execution] = [batch, failed]
    for row in rows:
        LogEntry.objects.create(
            user=User.objects.get(),
            content_type=ContentType.objects.get_for_model(row),
            object_id=str(row.pk),
            object_repr=words[:200],
            action_flag=CHANGE,
            change_message=words,
        )
    return {
        "batch": batch,
        "execution": failed,
        "schedule": ScheduleFactory.create(**texts_of(Schedule, words), labels=[words[:64]]),
        "worker": WorkerFactory.create(**texts_of(Worker, words)),
        "errorgroup": ErrorGroup(pk=KIND),
        "operation": Operation.objects.create(
            model="batch", total=3, failed=1, **texts_of(Operation, words)
        ),
        "strike": Strike.objects.create(**texts_of(Strike, words), value=words),
    }


def addresses_of(rows: Rows) -> list[str]:
    """Return one address of each pattern; of the actions on a row two kinds are enough."""
    chosen = ("retry", "cancel", "resolve", "disable")
    return [one.url for one in addresses(rows) if not one.slug or one.slug in chosen]


def pages(client: Client, rows: Rows, words: str) -> Iterator[tuple[str, str]]:
    """Get every page that shows what was filled in, also those that only a form leads to."""
    where = [*addresses_of(rows), "/admin/", "/admin/django_agenda/"]
    for address in where:
        yield address, client.get(address).content.decode()
        if "/do/" in address:
            sent = client.post(address, {"amount": words, "unit": words, "reason": words * 50})
            yield f"{address} answers", sent.content.decode()
    for model in _LISTS:
        address = reverse(f"admin:django_agenda_{model}_changelist")
        for query in ({"q": words}, {"status__exact": words}, {words: words}):
            yield f"{address} of {query}", client.get(address, query).content.decode()
        ticked = {"action": "retry", "_selected_action": str(rows[model].pk), "index": "0"}
        yield f"{address} asks", client.post(address, ticked).content.decode()
    in_line = Execution.objects.get(held_by=Execution.NO_SLOT)
    address = reverse("admin:django_agenda_execution_change", args=[in_line.pk])
    yield f"{address} in line", client.get(address).content.decode()
    plan = reverse("admin:django_agenda_batch_add")
    names = ("task", "lines", "count", "amount", "unit", "start", "strategy", "jitter", "seed")
    filled = dict.fromkeys((*names, "name", "key", "labels"), words)
    yield f"{plan} wrong", client.post(plan, filled).content.decode()
    fine = {"task": "tests.tasks.echo", "lines": "[1]", "amount": "1", "unit": "days"}
    fine |= {"strategy": "even", "name": words, "key": f"{words}+", "preview": "yes"}
    yield f"{plan} previews", client.post(plan, fine).content.decode()


@pytest.fixture(scope="module")
def harmless() -> dict[str, set[str]]:
    """Hold which tags and attributes the pages have when nobody means harm."""
    return {"tags": set(), "attributes": set()}


@pytest.mark.parametrize("words", VECTORS)
def test_texts_of_others_are_never_markup(
    admin_client: Client, words: str, harmless: dict[str, set[str]]
) -> None:
    if not harmless["tags"]:
        for _address, text in pages(admin_client, fill("harmless"), "harmless"):
            found = structure(text)
            harmless["tags"] |= found.tags
            harmless["attributes"] |= found.attributes
        made: tuple[type[models.Model], ...] = (
            Execution,
            Batch,
            Schedule,
            Worker,
            Operation,
            Strike,
            Gate,
        )
        made += (PausedQueue, ErrorGroup, LogEntry)
        for model in made:
            model._default_manager.all().delete()
    is_markup = bool(set(words) & set("<>\"'"))
    is_anywhere = False

    wrong = []
    for address, text in pages(admin_client, fill(words), words):
        found = structure(text)
        is_anywhere |= "pwn" in text
        wrong += [
            (address, what)
            for what, is_so in (
                ("as it stands", is_markup and words in text),
                ("tags", found.tags - harmless["tags"]),
                ("attributes", found.attributes - harmless["attributes"]),
                ("in a script", any("pwn" in part for part in found.raw)),
                ("links", [one for one in found.links if one.startswith(("java", "data:", "vb"))]),
                ("rendered", "42pwn" in text),
            )
            if is_so
        ]

    assert not wrong
    assert is_anywhere


def test_the_vectors_are_many_and_each_is_told_from_harmless_text() -> None:
    assert len(set(VECTORS)) >= 40
    assert all("pwn" in words for words in VECTORS)
    found = structure("<svg onload=pwn()><a href=' JavaScript:pwn()'><script>pwn()</script>")
    assert found.tags == {"svg", "a", "script"}
    assert "svg onload" in found.attributes
    assert found.links == ["javascript:pwn()"]
    assert found.raw == ["pwn()"]


def test_every_text_of_every_model_is_filled() -> None:
    """A text that comes later is in `fill` by itself; a model that comes later needs a line."""
    known = {Batch, Execution, Attempt, Schedule, Worker, PausedQueue, ErrorGroup, Operation}
    known |= {Gate, Strike}
    known |= {Digest, Fleet, OperationPart}  # without a text that is free
    ours = {
        model
        for model in models.Model.__subclasses__()
        if model.__module__.startswith("django_agenda.")
    }

    assert ours <= known
    assert {"name", "key", "pause_reason", "enqueue_error"} <= texts_of(Batch, "x").keys()
    assert {"task_name", "key", "error_class", "error_message", "traceback", "worker"} <= texts_of(
        Execution, "x"
    ).keys()


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_no_query_string_breaks_a_page(admin_client: Client, number: int) -> None:
    """Try every third page, other ones with each: all with all take minutes."""
    rows, query = fill("harmless"), QUERIES[number]
    admin_client.raise_request_exception = False

    broken = []
    for address in addresses_of(rows)[number % 3 :: 3]:
        status = admin_client.get(f"{address}?{query}").status_code
        if status >= 500:
            broken.append((address, status))

    assert not broken


@pytest.mark.parametrize(
    "pk", ["%00", "9" * 400, "-1", "1.5", "%FF", "x" * 3000, "_", "..", "1_2F"]
)
def test_no_primary_key_breaks_a_page(admin_client: Client, pk: str) -> None:
    admin_client.raise_request_exception = False

    for model in (*_LISTS, "errorgroup"):
        start = reverse(f"admin:django_agenda_{model}_changelist")
        for rest in ("change/", "live/", "history/", "delete/", "do/retry/", "do/resolve/", ""):
            assert admin_client.get(f"{start}{pk}/{rest}").status_code < 500

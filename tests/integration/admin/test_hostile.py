"""Texts of others are never markup, and no address breaks a page: on every page of this app.

The pages are those of the url resolver, so a page that comes later is among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from .hostile import HARMLESS, PACKS, QUERIES, VECTORS, Pack

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
_SCHEMES = ("java", "data:", "vb")
_LISTS = ("batch", "execution", "schedule", "worker", "operation")


class Structure(HTMLParser):
    """Collect which tags and attributes a page has, where its links go, and its bare scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.raw: list[str] = []
        self._said: list[str] = []

    @property
    def said(self) -> str:
        """Return what a reader sees of it, and the values of its attributes."""
        return "".join(self._said)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(f"{tag} {name}")
            self._said.append(f"{value} ")
            if name in _LINKS:
                self.links.append((value or "").strip().lower())

    def handle_data(self, data: str) -> None:
        self._said.append(data)
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


def texts_of(model: type[models.Model], pack: Pack) -> dict[str, str]:
    """Return text for everything of a model that is free, as long as it may be.

    Each begins with another of the pack, so that what is short or is cut shows another one.
    """
    return {
        field.name: pack.next()[: field.max_length]
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField)
        and not field.choices
        and not isinstance(field, PayloadField | LabelsField)
        and field.name not in NOT_FREE
        and not field.primary_key
        and "live" not in field.name
    }


def payload_of(pack: Pack) -> dict[str, Any]:
    return {
        "args": list(pack.words),
        "kwargs": {words: words for words in pack.words},
        "return_value": {words: [words] for words in pack.words},
        "labels": [words[:64] for words in pack.words],
    }


def fill(pack: Pack) -> Rows:
    """Put those words into every text that any page shows."""
    of_batch, said, payload = texts_of(Batch, pack), texts_of(Execution, pack), payload_of(pack)
    key = said["key"]
    batch = Batch.objects.create(
        labels=payload["labels"],
        start=now(),
        over=timedelta(hours=1),
        total=3,
        failed=1,
        pending=1,
        running=1,
        told_until=1,
        paused_at=now(),
        live_key=of_batch["key"],
        **of_batch,
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
    for place, status in enumerate(("pending", "running"), 1):
        own_key = f"{key[:-1]}{place}"
        Execution.objects.create(
            batch=batch,
            position=place,
            status=status,
            failed_stage="enqueue",
            error_fingerprint=KIND[::-1],
            started_at=now(),
            live_key=own_key,
            **payload,
            **texts_of(Execution, pack) | {"held_by": pack.next()[:32], "key": own_key},
        )
    gate = Gate.objects.create(pk=uuid4(), kind="concurrency", **texts_of(Gate, pack))
    in_line = {"task_name": pack.next()[:255], "held_by": Execution.NO_SLOT}
    Execution.objects.create(gate=gate.pk, **in_line)
    ErrorGroup.objects.create(pk=KIND, **texts_of(ErrorGroup, pack))
    for number, words in enumerate(pack.words, 1):
        # With a start, so that the timeline draws it.
        tried = {"started_at": now(), **texts_of(Attempt, pack)}
        AttemptFactory.create(execution=failed, number=number, **tried)
        PausedQueue.objects.create(name=words[:64])
        for row in (batch, failed):
            note(row, words)
    schedule = ScheduleFactory.create(**texts_of(Schedule, pack), labels=payload["labels"])
    counts = {"total": 3, "failed": 1}
    return {
        "batch": batch,
        "execution": failed,
        "schedule": schedule,
        "worker": WorkerFactory.create(**texts_of(Worker, pack)),
        "errorgroup": ErrorGroup(pk=KIND),
        "operation": Operation.objects.create(model="batch", **counts, **texts_of(Operation, pack)),
        "strike": Strike.objects.create(**texts_of(Strike, pack), value=pack.next()),
    }


def note(row: models.Model, words: str) -> None:
    """Write those words into the history of a row."""
    LogEntry.objects.create(
        user=User.objects.get(),
        content_type=ContentType.objects.get_for_model(row),
        object_id=str(row.pk),
        object_repr=words[:200],
        action_flag=CHANGE,
        change_message=words,
    )


def empty() -> None:
    """Delete what `fill` has made."""
    made: list[type[models.Model]] = [Execution, Batch, Schedule, Worker, Operation, Strike, Gate]
    made += [PausedQueue, ErrorGroup, LogEntry]
    for model in made:
        model._default_manager.all().delete()


def addresses_of(rows: Rows) -> list[str]:
    """Return one address of each pattern; of the actions on a row two kinds are enough."""
    chosen = ("retry", "cancel", "resolve", "disable")
    return [one.url for one in addresses(rows) if not one.slug or one.slug in chosen]


def pages(client: Client, rows: Rows, words: str) -> Iterator[tuple[str, str]]:
    """Get every page that shows what was filled in, also those that only a form leads to."""
    where = [*addresses_of(rows), "/admin/", "/admin/django_agenda/"]
    for address in where:
        answer = client.get(address)
        if answer.get("Content-Type") == "application/json":
            continue  # no browser reads markup in it
        yield address, answer.content.decode()
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


class Visit:
    """Fill everything with the words of a pack, and get every page; the tables are emptied."""

    def __init__(self, client: Client, *words: str) -> None:
        pack = Pack(*words)
        rows = fill(pack)
        self.pages = list(pages(client, rows, pack.next()))
        empty()
        self.found = [structure(text) for _address, text in self.pages]
        self.tags = set[str]().union(*(one.tags for one in self.found))
        self.attributes = set[str]().union(*(one.attributes for one in self.found))
        said = [one.said for one in self.found]
        self.shown = {one for one in words if any(one in text for text in said)}

    def wrong(self, words: Iterable[str], harmless: Visit) -> list[tuple[str, object]]:
        """Return each page on which something of these is more than text, and what that is."""
        markup = [one for one in words if set(one) & set("<>\"'")]
        return [
            (address, what)
            for (address, text), found in zip(self.pages, self.found, strict=True)
            for what in (
                {"as it stands": [one for one in markup if one in text]},
                {"tags": found.tags - harmless.tags},
                {"attributes": found.attributes - harmless.attributes},
                {"in a script": [part for part in found.raw if "pwn" in part]},
                {"links": [one for one in found.links if one.startswith(_SCHEMES)]},
                {"rendered": "42pwn" in text},
            )
            if any(what.values())
        ]


@pytest.fixture(scope="module")
def harmless() -> list[Visit]:
    """Hold the pages as they are when nobody means harm, once they have been visited."""
    return []


@pytest.mark.parametrize(
    "turn", [0, *(pytest.param(one, marks=pytest.mark.thorough) for one in range(1, len(HARMLESS)))]
)
@pytest.mark.parametrize("pack", PACKS, ids=range(len(PACKS)))
def test_texts_of_others_are_never_markup(
    admin_client: Client, pack: tuple[str, ...], turn: int, harmless: list[Visit]
) -> None:
    """Each turn begins every text with another one of the pack: what is short shows but that."""
    if not harmless:
        harmless.append(Visit(admin_client, *HARMLESS))
    first = turn % len(pack)
    words = pack[first:] + pack[:first]

    visit = Visit(admin_client, *words)

    # Each alone, so that it is known which one it was.
    assert not visit.wrong(words, *harmless), {
        one: Visit(admin_client, one).wrong([one], *harmless) for one in words
    }
    assert visit.shown == set(words)


def test_the_vectors_are_many_and_each_is_told_from_harmless_text() -> None:
    assert len(set(VECTORS)) >= 40
    assert sorted(one for pack in PACKS for one in pack) == sorted(VECTORS)
    assert all(len(Pack(*pack).next()) < 255 for pack in PACKS)
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
    assert {"name", "key", "pause_reason", "enqueue_error"} <= texts_of(Batch, Pack("x")).keys()
    assert {"task_name", "key", "error_class", "error_message", "traceback", "worker"} <= texts_of(
        Execution, Pack("x")
    ).keys()


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_no_query_string_breaks_a_page(admin_client: Client, number: int) -> None:
    """Try every third page, other ones with each: all with all take minutes."""
    rows, query = fill(Pack("harmless")), QUERIES[number]
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

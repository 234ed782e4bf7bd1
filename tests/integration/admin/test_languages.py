"""The admin in each language that is shipped."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from django_agenda.models import Execution, Operation
from tests.conftest import RedisServer
from tests.factories import ExecutionFactory, Scene, WorkerFactory, flood

from .test_pages import NOT_ALLOWED

WORDS = {
    "de": ("Warteschlangen und Zustand", "Stapel", "teilweise eingeplant"),
    "es": ("Colas y salud", "Lote", "programado en parte"),
    "fr": ("Files et santé", "Lot", "partiellement programmé"),
    "ja": ("キューと健全性", "バッチ", "一部のみ予定済み"),
    "zh-hans": ("队列与健康状况", "批次", "部分已安排"),
}


@pytest.mark.parametrize("language", WORDS)
def test_every_page_speaks_it(
    admin_client: Client, redis_server: RedisServer, language: str
) -> None:
    batch = flood(120, scene=Scene(refused=0.2, failing=0.2))
    worker = WorkerFactory.create(requested="quiet")
    operation = Operation.objects.create(kind="retry", model="batch", total=5, done=2)
    models = ("overview", "queue", "batch", "execution", "worker", "operation", "strike")
    urls = [reverse(f"admin:django_agenda_{model}_changelist") for model in models]
    for row in (batch, batch.executions.earliest("position"), worker, operation):
        name = f"admin:django_agenda_{row._meta.model_name}_change"
        urls.append(reverse(name, args=[row.pk]))
    urls += [reverse("admin:django_agenda_batch_do", args=[batch.pk, "retry"])]

    said = ""
    for url in urls:
        page = admin_client.get(url, headers={"accept-language": language}).content.decode()
        assert not NOT_ALLOWED.search(page), url
        assert not re.search(r"%\(\w+\)s|%%s", page), url
        said += page

    for words in WORDS[language]:
        assert words in said
    assert "partly scheduled" not in said
    assert "Retry" not in re.sub(r"<[^>]*>", "", said)


@pytest.mark.parametrize(
    ("held_by", "words"),
    [
        (Execution.PAUSED, "pausiert"),
        (Execution.BATCH_PAUSED, "Stapel pausiert"),
        (Execution.UNKNOWN_TASK, "Aufgabe unbekannt"),
        (Execution.IN_TURN, "vorheriger Lauf"),
        (Execution.NO_SLOT, "kein freier Platz"),
        ("strike 7", "Sperre 7"),
    ],
)
def test_by_what_something_is_held_is_said_in_it(
    admin_client: Client, held_by: str, words: str
) -> None:
    ExecutionFactory.create(held_by=held_by)

    url = reverse("admin:django_agenda_execution_changelist")
    page = admin_client.get(url, headers={"accept-language": "de"}).content.decode()

    assert words in page
    assert f">{held_by}<" not in page


def test_the_history_stays_english(admin_client: Client) -> None:
    batch = flood(5, scene=Scene(elapsed=-0.5, outage=None, refused=0, cancelled=0))

    german = {"accept-language": "de"}
    pause = reverse("admin:django_agenda_batch_do", args=[batch.pk, "pause"])
    admin_client.post(pause, headers=german)
    url = reverse("admin:django_agenda_batch_change", args=[batch.pk])
    page = admin_client.get(url, headers=german).content.decode()

    assert "5 Ausführungen pausiert." in page
    assert "Paused 5 executions." in page

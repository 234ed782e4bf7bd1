"""Every address of this app in the admin, by method and by role; a new one needs a line here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from django_agenda.admin.acting import ActingAdmin
from django_agenda.admin.queues.asks import ASKS
from django_agenda.models import (
    Batch,
    ErrorGroup,
    Execution,
    Operation,
    Overview,
    Queue,
    Schedule,
    Strike,
    Worker,
)
from django_agenda.scheduling import agree
from django_agenda.scheduling.strike import strike
from tests import tasks
from tests.conftest import RedisServer
from tests.factories import ScheduleFactory, WorkerFactory
from tests.integration.admin.conftest import ClientFor

from .acting import broken, one

SEES = (
    *("view_overview", "view_batch", "view_execution", "view_worker", "view_errorgroup"),
    *("view_schedule", "view_queue", "view_operation", "view_strike"),
)
ROLES: dict[str, tuple[str, ...] | None] = {
    "nobody": None,
    "staff": (),
    "viewer": SEES,
    "blind steerer": (
        *("control_batch", "retry_execution", "add_batch", "control_worker", "repair_agenda"),
        *("abort_operation", "add_strike", "restore_strike"),
    ),
    "steerer": (*SEES, "control_batch"),
    "retrier": (*SEES, "retry_execution"),
    "enqueuer": (*SEES, "add_batch"),
    "scheduler": (*SEES, "change_schedule"),
    "definer": (*SEES, "add_schedule"),
    "starter": (*SEES, "run_schedule"),
    "remover": (*SEES, "delete_schedule"),
    "triager": (*SEES, "change_errorgroup"),
    "foreman": (*SEES, "control_worker"),
    "mender": (*SEES, "repair_agenda"),
    "aborter": (*SEES, "abort_operation"),
    "striker": (*SEES, "add_strike"),
    "restorer": (*SEES, "restore_strike"),
    "editor": (*SEES, "change_batch", "change_execution", "delete_batch", "delete_execution"),
}
# Whose right each action needs.
RIGHTS = {
    "enqueue": "enqueuer",
    "retry": "retrier",
    "run-now": "retrier",
    "pause": "steerer",
    "resume": "steerer",
    "cancel": "steerer",
    "cancel-task": "steerer",
    "stop-retrying": "steerer",
    "respread": "steerer",
    "reschedule": "steerer",
    "enable": "scheduler",
    "disable": "scheduler",
    "skip-next": "scheduler",
    "run": "starter",
    "delete": "remover",
    "resolve": "triager",
    "ignore": "triager",
    "reopen": "triager",
    "worker quiet": "foreman",
    "worker resume": "foreman",
    "worker stop": "foreman",
    "queue pause": "steerer",
    "queue resume": "steerer",
    "queue repair": "mender",
    "operation abort": "aborter",
    "strike restore": "restorer",
}
# Whose right each form needs; what was sent here is not right, so it is shown again.
FORMS = {"define": "definer", "edit": "scheduler", "plan": "enqueuer", "strike": "striker"}
ADDS = {"batch": "plan", "schedule": "define", "strike": "strike"}
# What those who may see get for GET and for POST.
PLAIN = {
    "changelist": (200, 200),
    "page": (200, 403),
    "live": (200, 405),
    "json": (200, 405),
    "new": (200, 405),
    "change": (200, 403),
    "history": (200, 200),
    "add": (403, 403),
    "delete": (403, 403),
    "": (302, 302),
}
LOGIN, DENIED, NOT_ALLOWED, ASKED, DONE = 302, 403, 405, 200, 302


Row = Batch | Execution | Schedule | Worker | ErrorGroup | Operation | Strike
Rows = dict[str, Row]


class Address(NamedTuple):
    url: str
    kind: str
    slug: str = ""


def patterns() -> Iterator[URLPattern]:
    # The queue first: a batch that is cancelled leaves nothing in it.
    first = (Overview, Queue, ErrorGroup)
    for model in (*first, Batch, Execution, Schedule, Worker, Operation, Strike):
        yield from admin.site.get_model_admin(model).get_urls()


def kind_of(pattern: URLPattern) -> tuple[str, str]:
    """Return the model and the kind of address; the old address of a page has no name."""
    if pattern.name is None:
        return "", ""
    _app, _agenda, model, kind = pattern.name.split("_", 3)
    return model, kind


def rows_of(batch: Batch) -> Rows:
    """Return one row of each kind, which have something to do."""
    failed = one("failed", batch)
    return {
        "batch": batch,
        "execution": failed,
        "schedule": ScheduleFactory.create(),
        "worker": WorkerFactory.create(),
        "errorgroup": ErrorGroup(pk=failed.error_fingerprint),
        "operation": Operation.objects.create(kind="retry", model="batch", total=5),
        "strike": strike(tasks.plain, "number", "==", 7),
    }


def slug_of(model: object, slug: str) -> str:
    """Return the name of an action; those of workers have names of others."""
    is_worker = model is Worker or isinstance(model, Worker)
    return f"worker {slug}" if is_worker else slug


def addresses(rows: Rows) -> Iterator[Address]:
    for pattern in patterns():
        model, kind = kind_of(pattern)
        if not kind:
            continue
        name = f"admin:{pattern.name}"
        if model == "queue":
            yield from addresses_of_queues(name, kind)
        elif kind != "do" and model in ("overview", "errorgroup"):
            yield Address(reverse(name), "live" if kind == "live" else "page")
        elif kind == "add" and model in ADDS:
            yield Address(reverse(name), ADDS[model])
        elif kind == "new":
            yield Address(reverse(name, args=[0]), kind)
        elif kind in ("changelist", "add"):
            yield Address(reverse(name), kind)
        else:
            yield from addresses_of_row(name, kind, rows[model])


def addresses_of_row(name: str, kind: str, row: Row) -> Iterator[Address]:
    if kind == "abort":
        yield Address(reverse(name, args=[row.pk]), "do", "operation abort")
        return
    if kind == "restore":
        # Another one, which is gone afterwards.
        pk = strike(tasks.plain, "number", "==", 8).pk
        yield Address(reverse(name, args=[pk]), "do", "strike restore")
        return
    if kind != "do":
        yield Address(reverse(name, args=[row.pk]), kind)
        return
    model_admin = admin.site.get_model_admin(type(row))
    assert isinstance(model_admin, ActingAdmin)
    for slug in (offer.slug for offer in model_admin.page_actions):
        # Another one, which is gone afterwards.
        one_row = ScheduleFactory.create() if slug == "delete" else row
        yield Address(reverse(name, args=[one_row.pk, slug]), kind, slug_of(row, slug))


def addresses_of_queues(name: str, kind: str) -> Iterator[Address]:
    if kind == "do":
        for slug in (ask.slug for ask in ASKS):
            yield Address(reverse(name, args=["default", slug]), kind, f"queue {slug}")
    elif kind == "repair":
        yield Address(reverse(name), "do", "queue repair")
    else:
        yield Address(reverse(name), "page" if kind == "changelist" else kind)


def expected(address: Address, role: str, method: str) -> int:
    if role == "nobody":
        return LOGIN
    if method in ("PUT", "DELETE"):
        return NOT_ALLOWED
    if address.kind == "do":
        if RIGHTS[address.slug] != role:
            return DENIED
        return DONE if method == "POST" else ASKED
    if address.kind in FORMS:
        return ASKED if FORMS[address.kind] == role else DENIED
    if role in ("staff", "blind steerer"):
        return DENIED
    get, post = PLAIN[address.kind]
    if address.kind in ("live", "new") and method == "HEAD":
        return NOT_ALLOWED
    return get if method in ("GET", "HEAD") else post


def test_every_address_is_known() -> None:
    kinds = {kind_of(pattern)[1] for pattern in patterns()}
    assert kinds == {*PLAIN, "do", "edit", "repair", "abort", "restore"} - {"page"}
    models = (Batch, ErrorGroup, Execution, Schedule, Worker)
    acting = [admin.site.get_model_admin(model) for model in models]
    slugs = {
        slug_of(model_admin.model, action.slug)
        for model_admin in acting
        if isinstance(model_admin, ActingAdmin)
        for action in (*model_admin.page_actions, *model_admin.list_actions)
    }
    of_queues = {f"queue {slug}" for slug in (*(ask.slug for ask in ASKS), "repair")}
    assert slugs | of_queues | {"operation abort", "strike restore"} == set(RIGHTS)
    names = {name for name in get_resolver().namespace_dict["admin"][1].reverse_dict if name}
    known = {pattern.name for pattern in patterns() if pattern.name}
    assert {name for name in names if "agenda" in str(name)} == known


def client_of(role: str, client_for: ClientFor) -> Client:
    rights = ROLES[role]
    return Client() if rights is None else client_for(*rights)


@pytest.fixture(autouse=True)
def _quick_second_look(monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer) -> None:
    monkeypatch.setattr(agree, "SECOND_LOOK", 0.01)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("role", ROLES)
def test_only_those_get_in_who_may(client_for: ClientFor, role: str, method: str) -> None:
    batch = broken(20)
    rows = rows_of(batch)
    client = client_of(role, client_for)
    fields = {"which": "overdue", "how": "later", "amount": "1", "unit": "days"}
    send: Callable[..., object] = getattr(client, method.lower())

    wrong = []
    for address in addresses(rows):
        if method in ("PUT", "DELETE") and address.kind != "do":
            continue
        response = send(address.url, fields) if method == "POST" else send(address.url)
        status = response.status_code  # type: ignore[attr-defined]
        if status != expected(address, role, method):
            wrong.append((address.url, status, expected(address, role, method)))

    assert not wrong


def test_a_setting_takes_the_right_from_everybody(
    admin_client: Client, configure: Callable[..., None], redis_server: RedisServer
) -> None:
    batch = broken(20)
    configure(ADMIN_READ_ONLY=True)
    rows = rows_of(batch)

    for address in addresses(rows):
        if address.kind == "do":
            assert admin_client.get(address.url).status_code == DENIED
            assert admin_client.post(address.url).status_code == DENIED
    for kind, row in rows.items():
        pages = [reverse(f"admin:django_agenda_{kind}_changelist")]
        if kind != "errorgroup":
            pages.append(reverse(f"admin:django_agenda_{kind}_change", args=[row.pk]))
        for page in pages:
            shown = admin_client.get(page).content.decode()
            assert "/do/" not in shown
            menu = re.search(r'<select name="action".*?</select>', shown, re.DOTALL)
            offered = set(re.findall(r'value="(\w+)"', menu[0] if menu else ""))
            # To export is to read.
            assert offered <= ({"export_csv", "export_json"} if kind == "batch" else set())


def test_a_list_carries_out_nothing_without_the_right(client_for: ClientFor) -> None:
    batch = broken(20)
    client = client_for(*SEES, "retry_execution")
    address = reverse("admin:django_agenda_batch_changelist")

    for action in ("cancel", "pause", "enqueue", "delete_selected", "nonsense"):
        fields = {"action": action, "_selected_action": str(batch.pk), "confirmed": "yes"}
        client.post(address, {**fields, "post": "yes", "which": "overdue"})

    assert Batch.objects.get(pk=batch.pk).version == batch.version
    assert User.objects.count() == 1


def test_whoever_only_retries_sees_no_other_button(client_for: ClientFor) -> None:
    batch = broken(20)

    page = client_for("view_batch", "retry_execution").get(
        reverse("admin:django_agenda_batch_change", args=[batch.pk])
    )

    assert "/do/retry/" in page.content.decode()
    assert "/do/cancel/" not in page.content.decode()
    assert "/do/enqueue/" not in page.content.decode()

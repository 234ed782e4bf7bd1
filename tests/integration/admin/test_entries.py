"""What is written into the filters of the lists, and what the list of batches tells of each."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_agenda.clock import now
from django_agenda.models import Batch, Execution
from tests.factories import CALM, BatchFactory, ExecutionFactory, ScheduleFactory, flood

pytestmark = pytest.mark.django_db
BATCHES, EXECUTIONS = (
    reverse(f"admin:django_agenda_{name}_changelist") for name in ("batch", "execution")
)


def found(client: Client, address: str, **query: object) -> set[object]:
    answer = client.get(address, {name: str(value) for name, value in query.items()})
    assert answer.status_code == 200
    return set(answer.context["cl"].result_list)


def local(hours: float) -> str:
    moment = timezone.localtime(now() + timedelta(hours=hours))
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def window(name: str, *, begins: float, hours: float, finished: bool = True) -> Batch:
    batch: Batch = BatchFactory.create(
        name=name,
        start=now() + timedelta(hours=begins),
        over=timedelta(hours=hours),
        finished_at=now() if finished else None,
        **({} if finished else {"total": 1, "scheduled": 1}),
    )
    if not finished:
        ExecutionFactory.create(batch=batch, due_at=batch.end)
    return batch


def test_batches_are_found_by_where_their_window_lies(admin_client: Client) -> None:
    old = window("old", begins=-72, hours=1)
    long = window("long", begins=-30, hours=10)
    open_now = window("open", begins=-1, hours=2, finished=False)
    ahead = window("ahead", begins=3, hours=1, finished=False)
    stuck = window("stuck", begins=-90, hours=1, finished=False)

    assert found(admin_client, BATCHES, window="now") == {open_now}
    assert found(admin_client, BATCHES, window="last") == {long, open_now}
    assert found(admin_client, BATCHES, window="next") == {open_now, ahead}
    assert found(admin_client, BATCHES, window="overdue") == {stuck}
    assert found(admin_client, BATCHES, begin=local(-25), until=local(-19)) == {long}
    assert found(admin_client, BATCHES, until=local(-60)) == {old, stuck}
    assert open_now in found(admin_client, BATCHES, window="today")
    assert not {old, stuck} & found(admin_client, BATCHES, window="today")


def test_batches_are_found_by_what_has_made_them(admin_client: Client) -> None:
    ann = User.objects.create_user("ann")
    code, planned, ticked, fanned = (window(name, begins=1, hours=1) for name in "abcd")
    LogEntry.objects.log_actions(ann.pk, [planned], ADDITION, "Scattered", single_object=False)
    tick = ExecutionFactory.create(schedule=ScheduleFactory.create())
    Batch.objects.filter(pk=ticked.pk).update(parent=tick)
    Batch.objects.filter(pk=fanned.pk).update(parent=ExecutionFactory.create())

    assert found(admin_client, BATCHES, source="admin") == {planned}
    assert found(admin_client, BATCHES, source="schedule") == {ticked}
    assert found(admin_client, BATCHES, source="task") == {fanned}
    assert found(admin_client, BATCHES, source="code") == {code}
    assert found(admin_client, BATCHES, maker="ann") == {planned}
    assert found(admin_client, BATCHES, maker="bob") == set()
    text = admin_client.get(BATCHES).content.decode()
    assert "by ann" in text
    assert text.count("by a task") == 2


@pytest.mark.parametrize(
    "words",
    [
        *("key:mails-7", "mails-7", "label:spring", "spring", "Spring letters"),
        *("task:tests.tasks.mail", "worker:mail-9", "error:no address", "error:ValueError"),
    ],
)
def test_a_batch_is_searched_by(admin_client: Client, words: str) -> None:
    other = flood(5, scene=CALM, name="Autumn", key="mails-8", labels=["springtime"])
    batch = flood(5, scene=CALM, name="Spring letters of 2030", key="mails-7", labels=["spring"])
    batch.executions.filter(position=3).update(
        task_name="tests.tasks.mail",
        worker="mail-9",
        error_class="builtins.ValueError",
        error_message="no address for 7",
        error_fingerprint="0123456789abcdef",
    )

    assert found(admin_client, BATCHES, q=words) == {batch}
    assert found(admin_client, BATCHES, q="") == {batch, other}


def test_a_batch_is_found_by_label_and_task(admin_client: Client) -> None:
    batch = flood(5, scene=CALM, labels=["spring"])
    other = flood(5, scene=CALM, labels=["Spring"])
    batch.executions.filter(position=3).update(task_name="tests.tasks.mail")

    assert found(admin_client, BATCHES, label="spring") == {batch}
    assert found(admin_client, BATCHES, label="spri") == set()
    assert found(admin_client, BATCHES, task="tests.tasks.mail") == {batch}
    assert found(admin_client, BATCHES, label="Spring", task="tests.tasks.mail") == set()
    assert found(admin_client, BATCHES, label="Spring") == {other}


def test_executions_are_found_by_what_is_written(admin_client: Client) -> None:
    one: Execution = ExecutionFactory.create(
        queue_name="mail", worker="mail-77", due_at=now() - timedelta(hours=5)
    )
    two = flood(1, scene=CALM).executions.get()

    assert found(admin_client, EXECUTIONS, queue_name="mail") == {one}
    assert found(admin_client, EXECUTIONS, worker="mail-77") == {one}
    assert found(admin_client, EXECUTIONS, batch__id__exact=two.batch_id) == {two}
    assert found(admin_client, EXECUTIONS, begin=local(-6), until=local(-4)) == {one}
    assert found(admin_client, EXECUTIONS, begin=local(-4)) == {two}
    assert found(admin_client, EXECUTIONS, worker="", queue_name="") == {one, two}


def test_what_finds_nothing_is_no_empty_list(admin_client: Client) -> None:
    ExecutionFactory.create()
    text = admin_client.get(EXECUTIONS, {"worker": "gone"}).content.decode()

    assert "Nothing matches" in text
    assert 'value="gone"' in text


@pytest.mark.parametrize(
    "query",
    [
        *({"begin": "soon"}, {"until": "0001-01-01T00:00"}, {"until": "9999-12-31T23:59"}),
        *({"batch__id__exact": "x"}, {"batch__id__exact": "9" * 40}),
    ],
)
def test_what_is_no_value_is_refused(admin_client: Client, query: dict[str, str]) -> None:
    answer = admin_client.get(EXECUTIONS, query)

    assert (answer.status_code, answer.headers["Location"]) == (302, f"{EXECUTIONS}?e=1")


def test_the_form_keeps_what_else_the_list_is_filtered_by(admin_client: Client) -> None:
    flood(5, scene=CALM)
    text = admin_client.get(BATCHES, {"status__exact": "running", "p": "0"}).content.decode()

    assert '<input type="hidden" name="status__exact" value="running">' in text
    assert '<input type="hidden" name="p"' not in text


def test_the_list_says_how_late_a_batch_was(admin_client: Client) -> None:
    batch = flood(40, scene=CALM)
    batch.executions.filter(lag_ms__isnull=False).update(lag_ms=90_000)

    rows = admin_client.get(BATCHES).context["cl"].result_list

    # In steps, but never later than the latest of all.
    assert 90_000 * 0.95 < rows[0].late_ms <= 90_000
    assert "95 % within 1 min" in admin_client.get(BATCHES).content.decode()

"""What goes wrong inside a worker, and how it puts itself right."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, Error, OperationalError, connection, connections, transaction

from django_agenda import Agenda, Call, schedule, schedule_many
from django_agenda.broker import broker
from django_agenda.clock import monotonic, now
from django_agenda.conf import get_settings
from django_agenda.models import Batch, Execution, Worker
from django_agenda.scheduling.cancel import cancel
from django_agenda.scheduling.unknown import fail_unknown
from django_agenda.signals import executions_healed, tasks_unknown, trouble_began
from django_agenda.worker.audit import Audit
from django_agenda.worker.claim import Claim, Outcome
from django_agenda.worker.claims import claim, give_back
from django_agenda.worker.control import Control
from django_agenda.worker.heart import Heart
from django_agenda.worker.holdings import Holdings
from django_agenda.worker.record import record
from django_agenda.worker.recorder import Recorder
from django_agenda.worker.trouble import Trouble
from tests import tasks
from tests.conftest import RedisServer
from tests.sound import assert_counters_equal_rows, ids_in_redis
from tests.waiting import wait_until

from .conftest import Configure, RunningWorker, Work

DEFAULT = "default"
HOUR = timedelta(hours=1)
IS_SQLITE = connection.vendor == "sqlite"


@pytest.fixture
def healed() -> Iterator[list[tuple[str, int]]]:
    """Return a list of the reasons and counts of what is put right during the test."""
    heard: list[tuple[str, int]] = []

    def hear(*, reason: str, count: int, **_: Any) -> None:
        heard.append((reason, count))

    executions_healed.connect(hear)
    yield heard
    executions_healed.disconnect(hear)


def take(worker: Worker, *rows: Execution) -> list[Claim]:
    moment, ids = now(), [row.pk.hex for row in rows]
    return claim(DEFAULT, worker, ids, moment=moment, starts=0.0, horizon=moment).claims


def outcome(one: Claim, **changes: Any) -> Outcome:
    given = {"status": "succeeded", "started_at": now(), "finished_at": now(), "run_ms": 1}
    everything: dict[str, Any] = {"claim": one, **given, **changes}
    return Outcome(**everything)


def overdue(count: int) -> Batch:
    calls = [Call(tasks.plain, (number,)) for number in range(count)]
    return Agenda(calls).scatter(start=now() - HOUR, over=timedelta(microseconds=1))


# --- self-audit ---


class Own:
    """Hold what an audit needs, of a worker that runs nothing."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.trouble = Trouble()
        self.holdings = Holdings()
        heart = Heart(DEFAULT, worker, get_settings(), self.trouble)
        self.audit = Audit(
            DEFAULT, get_settings(), heart=heart, holdings=self.holdings, trouble=self.trouble
        )


def test_rows_that_nobody_holds_are_given_back_and_enqueued(
    living_worker: Worker, healed: list[tuple[str, int]], redis_server: RedisServer
) -> None:
    batch = overdue(3)
    own = Own(living_worker)
    held, *_ = take(living_worker, *batch.executions.all())
    own.holdings.add([held])
    redis_server.flush()
    own.trouble.met(OperationalError("the answer to a commit was lost"))

    assert own.audit.look() == 2

    assert healed == [("claimed unheard", 2)]
    batch = assert_counters_equal_rows(batch)
    assert (batch.running, batch.scheduled) == (1, 2)
    waiting = batch.executions.filter(status="scheduled")
    assert {row.attempts for row in waiting} == {0}
    assert ids_in_redis(redis_server.client) == {row.pk for row in waiting}
    give_back(DEFAULT, living_worker, [(held.id, held.attempt)])


def test_without_trouble_it_looks_only_now_and_then(
    living_worker: Worker, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(AUDIT_INTERVAL=60)
    own = Own(living_worker)
    row = schedule(tasks.plain)()
    take(living_worker, row)

    assert own.audit.look() == 0

    later = monotonic() + 61
    monkeypatch.setattr("django_agenda.worker.audit.monotonic", lambda: later)
    assert own.audit.look() == 1


def test_it_leaves_alone_what_others_run(living_worker: Worker) -> None:
    other = Worker.objects.create(name="other", hostname="here", pid=2)
    row = schedule(tasks.plain)()
    [one] = take(other, row)
    own = Own(living_worker)
    own.trouble.met(OperationalError())

    assert own.audit.look() == 0

    give_back(DEFAULT, other, [(one.id, one.attempt)])


def test_a_claim_that_is_on_its_way_is_not_taken_for_forgotten(living_worker: Worker) -> None:
    own = Own(living_worker)
    row = schedule(tasks.plain)()
    own.trouble.met(OperationalError())
    found: list[int] = []

    def look() -> None:
        found.append(own.audit.look())
        connections.close_all()

    with own.holdings.claiming:
        [one] = take(living_worker, row)
        looking = threading.Thread(target=look)
        looking.start()
        looking.join(0.2)
        assert looking.is_alive()
        own.holdings.add([one])
    looking.join()

    assert found == [0]
    give_back(DEFAULT, living_worker, [(one.id, one.attempt)])


def test_to_forget_what_was_given_back_is_not_to_forget_what_was_claimed_since(
    living_worker: Worker,
) -> None:
    holdings, row = Holdings(), schedule(tasks.plain)()
    [first] = take(living_worker, row)
    holdings.add([first])
    give_back(DEFAULT, living_worker, [(first.id, first.attempt)])
    [second] = take(living_worker, row)
    holdings.add([second])

    holdings.drop([first])

    assert holdings.unknown([(second.id, second.attempt)]) == []
    holdings.drop([second])
    assert holdings.unknown([(second.id, second.attempt)]) == [(second.id, 1)]
    give_back(DEFAULT, living_worker, [(second.id, second.attempt)])


def test_a_claim_whose_answer_was_lost_runs_all_the_same(
    monkeypatch: pytest.MonkeyPatch, healed: list[tuple[str, int]], ledger: str
) -> None:
    lost: list[Any] = []

    def lose_the_first_answer(*args: Any, **kwargs: Any) -> Any:
        result = claim(*args, **kwargs)
        if not lost:
            lost.append(result)
            raise OperationalError("the server closed the connection unexpectedly")
        return result

    monkeypatch.setattr("django_agenda.worker.claimer.claim", lose_the_first_answer)
    row = schedule(tasks.note)(ledger)

    with RunningWorker():
        row.wait(20)

    row.refresh_from_db()
    assert (row.status, row.attempts, row.crashes) == ("succeeded", 1, 0)
    assert tasks.lines(ledger) == ["ran"]
    assert ("claimed unheard", 1) in healed


def test_outcomes_that_wait_for_the_database_are_no_forgotten_claims(
    monkeypatch: pytest.MonkeyPatch,
    healed: list[tuple[str, int]],
    ledger: str,
    configure: Configure,
) -> None:
    configure(AUDIT_INTERVAL=0.01)
    failures: list[Any] = []

    def refuse_at_first(*args: Any) -> Any:
        if len(failures) < 3:
            failures.append(args)
            raise OperationalError("the database is restarting")
        return record(*args)

    monkeypatch.setattr("django_agenda.worker.recorder.record", refuse_at_first)

    with RunningWorker():
        wait_until(broker.is_filled)
        schedule(tasks.note)(ledger).wait(20)

    assert tasks.lines(ledger) == ["ran"]
    assert healed == []


# --- outcomes that cannot be stored ---


POISON: dict[str, dict[str, Any]] = {"surrogate": {"return_value": '"\ud800"'}}
if connection.vendor == "postgresql":
    POISON |= {
        "nul": {"return_value": '"\0"'},
        "nul in a traceback": {"traceback": "a\0b"},
        "number": {"run_ms": 2**70},
    }


@pytest.mark.parametrize("poison", POISON)
def test_one_outcome_that_is_refused_does_not_harm_the_others(
    poison: str, living_worker: Worker, healed: list[tuple[str, int]]
) -> None:
    batch = overdue(40)
    claims = take(living_worker, *batch.executions.all())
    recorder = Recorder(Control(DEFAULT), Holdings(), Trouble())
    for number, one in enumerate(claims):
        recorder.put(outcome(one, **POISON[poison]) if number in (3, 17) else outcome(one))

    recorder.start()
    assert recorder.stop(10)

    batch = assert_counters_equal_rows(batch)
    assert (batch.succeeded, batch.failed) == (38, 2)
    refused = batch.executions.filter(status="failed")
    assert {row.error_message[:31] for row in refused} == {"Its outcome could not be stored"}
    assert healed == [("outcome not storable", 1)] * 2


def test_what_is_refused_even_when_cleaned_does_not_hold_up_the_rest(
    living_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = schedule_many([Call(tasks.plain)] * 4)
    claims = take(living_worker, *rows)

    def refuse_one(using: str, worker: Worker, outcomes: list[Outcome]) -> Any:
        if any(one.claim.id == claims[1].id for one in outcomes):
            raise ValueError("never this one")
        return record(using, worker, outcomes)

    monkeypatch.setattr("django_agenda.worker.recorder.record", refuse_one)
    holdings = Holdings()
    holdings.add(claims)
    recorder = Recorder(Control(DEFAULT), holdings, Trouble())
    for one in claims:
        recorder.put(outcome(one))

    recorder.start()
    assert recorder.stop(10)

    left = Execution.objects.exclude(status="succeeded").get()
    assert (left.status, left.pk.hex) == ("running", claims[1].id)
    token = (claims[1].id, claims[1].attempt)
    assert holdings.unknown([token]) == []
    left.delete()


# --- back-pressure ---


def test_nothing_is_claimed_while_an_outcome_waits_for_half_a_ttl(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, ledger: str
) -> None:
    configure(WORKER_TTL=0.4)
    is_down = threading.Event()
    is_down.set()

    def refuse(*args: Any) -> Any:
        if is_down.is_set():
            raise OperationalError("down")
        return record(*args)

    monkeypatch.setattr("django_agenda.worker.recorder.record", refuse)
    first = schedule(tasks.plain)()
    with RunningWorker() as running:
        wait_until(lambda: running.process._recorder.waits > 0.2, 20)

        second = schedule(tasks.note)(ledger)
        running.thread.join(0.2)
        assert tasks.lines(ledger) == []

        is_down.clear()
        first.wait(20)
        second.wait(20)


# --- the worker's own connection ---


@pytest.fixture
def control(configure: Configure) -> Iterator[Control]:
    configure(STATEMENT_TIMEOUT=1, LOCK_TIMEOUT=1)
    with Control(DEFAULT) as opened:
        yield opened


def test_it_is_a_connection_apart_that_nobody_else_meets(control: Control) -> None:
    with connections[control.alias].cursor() as cursor:
        cursor.execute("SELECT 1")

    assert connections[control.alias] is not connection
    assert control.alias not in list(connections)
    assert control.alias not in [one.alias for one in connections.all()]
    with transaction.atomic():
        schedule(tasks.plain)()
        assert not Execution.objects.using(control.alias).exists()


def test_it_is_there_only_in_the_thread_that_opened_it(control: Control) -> None:
    errors: list[type[Exception]] = []

    def use() -> None:
        try:
            connections[control.alias].cursor()
        except Exception as error:
            errors.append(type(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()

    assert [one.__name__ for one in errors] == ["ConnectionDoesNotExist"]


@pytest.mark.skipif(IS_SQLITE, reason="nobody can end a connection to a file")
def test_a_connection_that_the_server_ended_is_made_anew(control: Control) -> None:
    own, end = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%s)"),
        "mysql": ("SELECT CONNECTION_ID()", "KILL %s"),
    }[connection.vendor]
    with connections[control.alias].cursor() as cursor:
        cursor.execute(own)
        (number,) = cursor.fetchone()
    with connection.cursor() as cursor:
        cursor.execute(end, [number])
    with pytest.raises(Error):
        Worker.objects.using(control.alias).count()

    control.refresh()

    assert Worker.objects.using(control.alias).count() == 0


@pytest.mark.skipif(IS_SQLITE, reason="SQLite has one lock and no statements that take long")
def test_a_statement_that_takes_too_long_is_ended_by_the_server(control: Control) -> None:
    sleep = {"postgresql": "SELECT pg_sleep(20)", "mysql": "SELECT SLEEP(20)"}
    with (
        pytest.raises(DatabaseError),
        connections[control.alias].cursor() as cursor,
    ):
        cursor.execute(sleep[connection.vendor])


@pytest.mark.skipif(IS_SQLITE, reason="SQLite has one lock and no statements that take long")
def test_a_lock_that_somebody_keeps_delays_an_outcome_and_does_not_lose_it(
    control: Control, living_worker: Worker
) -> None:
    batch = overdue(2)
    claims = take(living_worker, *batch.executions.all())
    recorder = Recorder(control, Holdings(), Trouble())
    troubles: list[Exception] = []

    def hear(*, error: Exception, **_: Any) -> None:
        troubles.append(error)

    trouble_began.connect(hear)
    try:
        with transaction.atomic():
            Batch.objects.select_for_update().get(pk=batch.pk)
            recorder.start()
            for one in claims:
                recorder.put(outcome(one))
            wait_until(lambda: troubles, 20)
            assert recorder.unsaved == 2
        assert recorder.stop(10)
    finally:
        trouble_began.disconnect(hear)

    assert assert_counters_equal_rows(batch).status == "succeeded"
    assert isinstance(troubles[0], OperationalError)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own settings")
def test_a_session_that_forgets_its_transaction_is_ended_by_the_server(control: Control) -> None:
    def shown(alias: str, name: str) -> str:
        with connections[alias].cursor() as cursor:
            cursor.execute(f"SHOW {name}")
            return str(cursor.fetchone()[0])

    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    assert [shown(control.alias, name) for name in names] == ["1s", "1s", "1s"]
    assert [shown(DEFAULT, name) for name in names] == ["0", "0", "0"]


def test_a_body_that_spoils_its_own_connection_spoils_nothing_else(work: Work) -> None:
    rows = [schedule(tasks.leave_a_transaction_open)() for _ in range(8)]

    work(concurrency=2)

    for row in rows:
        row.refresh_from_db()
    assert {row.status for row in rows} == {"succeeded"}


# --- deploys ---


def put_aside(worker: Worker, *names: str) -> list[Execution]:
    rows = schedule_many([Call(tasks.plain)] * len(names))
    for row, name in zip(rows, names, strict=True):
        Execution.objects.filter(pk=row.pk).update(task_name=name)
    take(worker, *rows)
    return list(Execution.objects.filter(held_by=Execution.UNKNOWN_TASK))


def test_an_unknown_task_is_put_aside_and_said(living_worker: Worker) -> None:
    heard: list[tuple[list[str], int]] = []

    def hear(*, names: list[str], count: int, **_: Any) -> None:
        heard.append((names, count))

    tasks_unknown.connect(hear)
    before = now()
    rows = put_aside(living_worker, "gone.b", "gone.a", "gone.a")
    tasks_unknown.disconnect(hear)

    assert heard == [(["gone.a", "gone.b"], 3)]
    assert all(row.held_at and row.held_at >= before for row in rows)
    Execution.objects.all().delete()


def test_it_waits_from_when_it_was_put_aside_and_not_from_when_it_was_due(
    living_worker: Worker,
) -> None:
    put_aside(living_worker, "gone.a")
    Execution.objects.update(due_at=now() - timedelta(days=30))

    assert fail_unknown(DEFAULT, timedelta(days=1)) == 0

    Execution.objects.all().delete()


def test_what_nobody_knows_for_too_long_fails(
    work: Work, configure: Configure, healed: list[tuple[str, int]]
) -> None:
    configure(UNKNOWN_TASK_TTL=0.1)
    batch = Agenda([Call(tasks.plain, key="k"), Call(tasks.plain)]).scatter(
        start=now(), over=timedelta(microseconds=1), on_failure=tasks.note_batch
    )
    batch.executions.filter(position=0).update(task_name="gone.task")

    work(max_tasks=2)

    row = batch.executions.get(position=0)
    assert (row.status, row.error_class, row.attempts) == ("failed", "UnknownTask", 0)
    assert row.live_key is None
    assert ("unknown task", 1) in healed
    assert assert_counters_equal_rows(batch).status == "partly_failed"
    assert batch.callbacks.get().status == "succeeded"


@pytest.mark.parametrize(
    "spoil",
    [
        {"args": [1, 2, 3]},
        {"args": [1]},
        {"kwargs": {"c": 3}},
        {"args": [1, 2], "kwargs": {"a": 1}},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["add", "add_async"])
def test_arguments_of_another_release_fail_at_once(
    name: str, spoil: dict[str, Any], work: Work
) -> None:
    row = schedule(getattr(tasks, name))(1, 2)
    Execution.objects.update(max_attempts=5, **spoil)

    work()

    row.refresh_from_db()
    assert (row.status, row.error_class, row.attempts) == ("failed", "BadArguments", 1)
    assert "argument" in row.error_message


def test_a_type_error_of_the_body_is_the_bodys_own(work: Work) -> None:
    row = schedule(tasks.add)(1, "2")
    Execution.objects.update(max_attempts=2)

    work()

    row.refresh_from_db()
    assert (row.status, row.error_class, row.attempts) == ("failed", "TypeError", 2)


# --- the commit hook ---


def _cancel_it(row: Execution) -> None:
    cancel(Execution.objects.filter(pk=row.pk))


HOOKS: dict[str, Callable[[Execution], object]] = {
    "cancelled": _cancel_it,
    "deleted": lambda row: row.delete(),
    "held": lambda row: Execution.objects.filter(pk=row.pk).update(held_by="pause"),
}


@pytest.mark.parametrize("change", HOOKS)
def test_what_its_own_transaction_took_back_is_never_told(
    change: str, redis_server: RedisServer
) -> None:
    with transaction.atomic():
        HOOKS[change](schedule(tasks.plain, after=HOUR)())

    assert ids_in_redis(redis_server.client) == set()
    Execution.objects.all().delete()


def test_a_savepoint_that_was_rolled_back_by_hand_is_never_told(redis_server: RedisServer) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SAVEPOINT by_hand")
        schedule(tasks.plain, after=HOUR)()
        cursor.execute("ROLLBACK TO SAVEPOINT by_hand")
        kept = schedule(tasks.plain, after=HOUR)()

    assert ids_in_redis(redis_server.client) == {kept.pk}
    cancel(Execution.objects.all())


def test_a_moment_that_was_changed_in_the_same_transaction_is_what_is_told(
    redis_server: RedisServer,
) -> None:
    later = now() + 2 * HOUR
    with transaction.atomic():
        row = schedule(tasks.plain, after=HOUR)()
        Execution.objects.filter(pk=row.pk).update(due_at=later)

    score = redis_server.client.zscore("{test}:due:default", row.pk.hex)
    assert score is not None
    assert abs(score // 256 - later.timestamp() * 1000) <= 1
    cancel(Execution.objects.all())

"""At every crash point: nothing is lost, and nothing runs again but what may."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db.models.functions import Now

from django_agenda.clock import now
from django_agenda.models import Batch, Execution, Fleet, Schedule, Worker
from django_agenda.worker.claims import claim
from tests.conftest import RedisServer
from tests.sound import assert_all_ended, assert_no_key_is_forgotten, assert_sound
from tests.tasks import lines
from tests.waiting import wait_until

from .cases import CASES, Case
from .process import COUNT, HOUR, QUICK, Child, ledger_in, let_tick, mark_in, scatter
from .trap import KILLED

pytestmark = [pytest.mark.chaos, pytest.mark.usefixtures("transactional_db")]

# A frozen worker is lost by the clock; any other one is declared so by the test.
SHORT, LONG = {"WORKER_TTL": 0.8}, {"WORKER_TTL": 30}
PATIENCE = 20

Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a child; all of them are ended after the test."""
    children: list[Child] = []

    def begin(*args: object, **given: object) -> Child:
        children.append(Child(args[0], tmp_path, *args[1:], **given))  # type: ignore[arg-type]
        return children[-1]

    yield begin
    for child in children:
        child.close()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nothing_is_lost_and_nothing_runs_twice_but_what_may(
    case: Case, start: Start, tmp_path: Path, redis_server: RedisServer
) -> None:
    _set_the_scene(case, tmp_path, redis_server)
    is_frozen = case.traps[-1].act == "freeze"
    ttl = SHORT if is_frozen else LONG
    victim = start(case.role, case.traps, case.task, **{**ttl, **case.settings})
    wait_until(lambda: mark_in(tmp_path).exists() or not victim.is_running, PATIENCE)
    assert mark_in(tmp_path).exists(), "The trap was never reached."

    if is_frozen:
        _let_others_finish_and_thaw(case, victim, start, tmp_path)
    elif case.traps[-1].act in ("error", "lost") and case.role == "worker":
        _let_it_finish_alone(case, victim, start)
    else:
        _let_another_finish(case, victim, start, tmp_path)

    _check(case, tmp_path, redis_server)


def _set_the_scene(case: Case, folder: Path, redis_server: RedisServer) -> None:
    long_ago = Now() - HOUR
    Fleet.objects.create(pk=Fleet.THE_ONE, heard_since=long_ago, heard_at=Now())
    if case.scene == "none":
        return
    if case.scene == "ticks":
        let_tick(folder)
        return
    batch = scatter(folder, case.task)
    if case.scene == "orphans":
        lost = Worker.objects.create(name="lost", hostname="here", pid=0)
        ids = [id_.hex for id_ in batch.executions.values_list("pk", flat=True)]
        claim("default", lost, ids, moment=now(), starts=0.0, horizon=now())
        Worker.objects.update(beat_at=long_ago)
    if case.scene in ("orphans", "forgotten"):
        redis_server.flush()


def _let_another_finish(case: Case, victim: Child, start: Start, folder: Path) -> None:
    """The victim is gone: what it leaves is another worker's, as soon as its lease has lapsed."""
    assert victim.end() == _expected_code(case)
    (folder / "unstored").write_text(str(_unstored(folder)))
    _let_leases_lapse()
    survivor = start("worker", **LONG)
    _wait_for_the_end(case)
    survivor.send(signal.SIGTERM)
    assert survivor.end() == 0


def _expected_code(case: Case) -> int:
    trap = case.traps[-1]
    if trap.act == "exit":
        return KILLED
    # A refusal of Redis is written down on the batch, an error of the database is the caller's.
    fails = case.role == "scatter" and trap.error == "database"
    return 1 if fails else case.ends_with


def _let_it_finish_alone(case: Case, victim: Child, start: Start) -> None:
    """An error is no reason to end: the worker itself puts right what it left half done."""
    if case.task == "stop_the_worker":
        assert victim.end() == 0
        _let_leases_lapse()
        victim = start("worker", **LONG)
    _wait_for_the_end(case)
    victim.send(signal.SIGTERM)
    assert victim.end() == 0


def _let_others_finish_and_thaw(case: Case, victim: Child, start: Start, folder: Path) -> None:
    """Its lease lapses, others do its work; then it wakes, and must change nothing."""
    (folder / "unstored").write_text(str(_unstored(folder) + _about_to_start(folder)))
    survivor = start("worker", **SHORT)
    with suppress(AssertionError):
        # In vain when the victim was stopped while it held a lock.
        wait_until(_has_ended, 1.0 if case.point == 1 else 4.0)
    victim.thaw()
    if case.role == "worker" and case.task != "stop_the_worker":
        _wait_for_the_end(case)
        victim.send(signal.SIGTERM)
    assert victim.end() == 0
    _wait_for_the_end(case)
    survivor.send(signal.SIGTERM)
    assert survivor.end() == 0


def _let_leases_lapse() -> None:
    """An hour passes, in which somebody else was heard."""
    Worker.objects.update(beat_at=Now() - HOUR)
    Fleet.objects.update(heard_since=Now() - 2 * HOUR, leader_until=Now() - HOUR)


def _unstored(folder: Path) -> int:
    """Return how many bodies were started of whose end the database does not know."""
    started = sum(line.startswith("start") for line in lines(ledger_in(folder)))
    members = Execution.objects.filter(callback_of=None)
    return started - members.filter(status="succeeded").count()


def _about_to_start(folder: Path) -> int:
    """Return 1 if the only thread may have looked at the lease, but not begun the body yet.

    It comes to the first line when it is thawed, and nothing can keep it from that.
    """
    claimed = Execution.objects.filter(status="running").exclude(
        claimed_by__in=Worker.objects.filter(name="lost").values("pk")
    )
    return int(claimed.count() > _unstored(folder))


def _has_ended() -> bool:
    if Schedule.objects.filter(next_at__lte=now()).exists():
        return False
    return Execution.objects.exists() and not Execution.objects.live().exists()


def _wait_for_the_end(case: Case) -> None:
    if case.is_written:
        wait_until(_has_ended, PATIENCE, what="the end of everything")
    else:
        wait_until(lambda: Worker.objects.filter(status="active").exists(), PATIENCE)


def _check(case: Case, folder: Path, redis_server: RedisServer) -> None:
    if not case.is_written:
        assert not Batch.objects.exists()
        assert not Execution.objects.exists()
        assert lines(ledger_in(folder)) == []
        return
    assert_sound()
    wait_until(lambda: not Worker.objects.filter(status__in=Worker.LIVING).exists(), 20)
    assert_all_ended()
    assert_no_key_is_forgotten(redis_server.client)
    if case.scene == "ticks":
        _check_ticks()
    else:
        _check_batch(case, folder)
    if case.role != "cancel":
        _check_bodies(case, folder)


def _check_ticks() -> None:
    """Each tick is one execution, and each schedule waits for its next tick."""
    assert Execution.objects.filter(status="succeeded").count() == COUNT
    for schedule in Schedule.objects.all():
        [run] = schedule.executions.all()
        assert (schedule.runs, schedule.last_at) == (1, run.tick_at)
        assert schedule.next_at is not None
        assert schedule.next_at == schedule.tick_after(now())


def _check_batch(case: Case, folder: Path) -> None:
    batch = Batch.objects.get()
    [callback] = batch.callbacks.all()
    assert (callback.status, callback.return_value) == ("succeeded", batch.pk)
    if case.role == "cancel":
        # It is done chunk by chunk; an end in the middle leaves the rest as it was.
        assert batch.cancelled >= QUICK["CHUNK_SIZE"]
        assert batch.cancelled + len(_numbers(folder, "start")) == COUNT
    else:
        assert batch.succeeded == COUNT


def _check_bodies(case: Case, folder: Path) -> None:
    started = Counter(_numbers(folder, "start"))
    assert set(_numbers(folder, "end")) == set(range(COUNT))
    file = folder / "unstored"
    allowed = int(file.read_text()) if case.may_rerun and file.exists() else 0
    extra = started.total() - COUNT
    assert 0 <= extra <= allowed, f"{extra} extra runs where {allowed} are allowed: {started}"


def _numbers(folder: Path, word: str) -> list[int]:
    found = (line.split() for line in lines(ledger_in(folder)))
    return [int(number) for said, number in found if said == word]

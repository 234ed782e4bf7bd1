"""Incarnations, leases, and when silence means that a worker is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from django_agenda import Call, schedule, schedule_many
from django_agenda.clock import now
from django_agenda.conf import get_settings
from django_agenda.models import Execution, Fleet, Worker
from django_agenda.worker.claim import FENCED, Claim
from django_agenda.worker.claims import claim
from django_agenda.worker.context import ClaimContext
from django_agenda.worker.control import Control
from django_agenda.worker.deadline import Deadlines
from django_agenda.worker.fleet import has_been_heard, lead, resign, sign
from django_agenda.worker.heart import Heart, new_worker
from django_agenda.worker.holdings import Holdings
from django_agenda.worker.lease import Lease
from django_agenda.worker.recorder import Recorder
from django_agenda.worker.rescue import declare_lost, rescue
from django_agenda.worker.runner import run
from django_agenda.worker.trouble import Trouble
from tests import tasks
from tests.waiting import wait_until

from .conftest import Configure, RunningWorker

DEFAULT = "default"
TTL = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def _ttl(configure: Configure) -> None:
    configure(WORKER_TTL=TTL)


def heart_of(name: str = "one") -> Heart:
    row = new_worker(name, queues="*", concurrency=1, version="")
    heart = Heart(DEFAULT, row, get_settings(), Trouble())
    heart.register()
    return heart


def take(lease: Lease, *rows: Execution) -> list[Claim]:
    moment, ids = now(), [row.pk.hex for row in rows]
    return claim(
        DEFAULT, lease.worker, ids, moment=moment, starts=0.0, horizon=moment, lease=lease
    ).claims


def record_all(*outcomes: Any) -> Recorder:
    recorder = Recorder(Control(DEFAULT), Holdings(), Trouble())
    recorder.start()
    for outcome in outcomes:
        recorder.put(outcome)
    assert recorder.stop(5)
    return recorder


def heard_for(seconds: float, last: float = 0.0) -> None:
    """Have workers been heard for so long, the last time so long ago."""
    Fleet.objects.update_or_create(
        pk=Fleet.THE_ONE,
        defaults={
            "heard_since": Now() - timedelta(seconds=seconds),
            "heard_at": Now() - timedelta(seconds=last),
        },
    )


def judge() -> int:
    return declare_lost(DEFAULT, TTL, on_condition=has_been_heard(DEFAULT, TTL))


def silent_worker() -> Worker:
    worker = Worker.objects.create(name="silent", hostname="here", pid=1)
    Worker.objects.filter(pk=worker.pk).update(beat_at=Now() - timedelta(minutes=5))
    return worker


# --- incarnations ---


def test_a_worker_that_was_declared_lost_goes_on_as_somebody_else() -> None:
    heart = heart_of()
    first = heart.lease
    Worker.objects.update(status="lost")

    heart.tick()

    assert (first.is_trusted, heart.lease.is_trusted) == (False, True)
    assert first.worker.pk != heart.worker.pk
    assert dict(Worker.objects.values_list("pk", "status")) == {
        first.worker.pk: "lost",
        heart.worker.pk: "active",
    }


def test_a_lease_ends_before_others_may_call_its_worker_lost(configure: Configure) -> None:
    configure(WORKER_TTL=3)
    heart = heart_of()
    assert heart.lease.is_trusted

    wait_until(lambda: not heart.lease.is_trusted, 6)

    heart.tick()
    assert heart.lease.is_trusted


def test_under_a_lease_that_has_ended_no_body_starts_and_the_claim_is_given_back() -> None:
    lease = heart_of().lease
    row = schedule(tasks.plain)()
    [one] = take(lease, row)
    lease.void()

    outcome = run(one, "one", Deadlines(), ClaimContext(one))

    assert outcome.status == FENCED
    record_all(outcome)
    row.refresh_from_db()
    assert (row.status, row.attempts, row.claimed_by) == ("scheduled", 0, None)


def test_the_outcome_of_a_former_incarnation_is_stored_while_the_row_is_still_its_own() -> None:
    heart = heart_of()
    kept, stolen = schedule_many([Call(tasks.plain)] * 2)
    claims = {one.id: one for one in take(heart.lease, kept, stolen)}
    outcomes = [run(one, "one", Deadlines(), ClaimContext(one)) for one in claims.values()]
    Worker.objects.update(status="lost")
    heart.tick()
    Execution.objects.filter(pk=stolen.pk).update(claimed_by=heart.worker.pk)

    record_all(*outcomes)

    kept.refresh_from_db()
    stolen.refresh_from_db()
    assert (kept.status, stolen.status) == ("succeeded", "running")
    Execution.objects.filter(pk=stolen.pk).delete()


def test_outcomes_of_two_incarnations_are_stored_in_one_chunk() -> None:
    heart = heart_of()
    first, second = schedule_many([Call(tasks.plain)] * 2)
    [old] = take(heart.lease, first)
    before = run(old, "one", Deadlines(), ClaimContext(old))
    Worker.objects.update(status="lost")
    heart.tick()
    [new] = take(heart.lease, second)

    recorder = record_all(before, run(new, "one", Deadlines(), ClaimContext(new)))

    assert set(Execution.objects.values_list("status", flat=True)) == {"succeeded"}
    assert recorder.succeeded == 2


def test_a_worker_that_was_declared_lost_while_it_waits_runs_what_is_due_later(
    configure: Configure,
) -> None:
    with RunningWorker(concurrency=1) as running:
        wait_until(lambda: Worker.objects.filter(status="active").exists())
        Worker.objects.update(status="lost")
        wait_until(lambda: Worker.objects.filter(status="active").exists())

        assert schedule(tasks.add)(1, 2).wait(20) == 3
    assert running.codes == [0]
    assert Worker.objects.count() == 2


# --- amnesty ---


def test_while_others_are_heard_also_a_fresh_worker_may_call_a_silent_one_lost() -> None:
    silent_worker()
    heard_for(31)
    heart_of("fresh")

    assert judge() == 1


def test_after_an_outage_nobody_is_judged_for_a_whole_ttl() -> None:
    silent_worker()
    heard_for(10_000, last=300)
    heart = heart_of("fresh")
    assert judge() == 0

    heard_for(29)
    heart.tick()
    assert judge() == 0

    heard_for(31)
    heart.tick()
    assert judge() == 1


def test_a_judge_that_slept_through_the_outage_has_no_say() -> None:
    silent_worker()
    heard_for(10_000, last=16)

    assert judge() == 0


@pytest.mark.parametrize("gap", [0.0, 14.0])
def test_workers_that_are_killed_again_and_again_are_signs_of_life_together(gap: float) -> None:
    """A grace that each process counts for itself would never end."""
    silent_worker()
    heard_for(31, last=gap)

    for number in range(3):
        heart_of(f"short-lived {number}")

    assert judge() == 1


def test_a_clock_that_was_set_back_does_not_stop_the_judging_for_longer_than_a_ttl() -> None:
    heard_for(-3600, last=-3600)

    sign(DEFAULT, TTL)

    fleet = Fleet.objects.get()
    assert fleet.heard_since <= now() + timedelta(seconds=1)


def test_without_any_sign_nobody_is_judged() -> None:
    silent_worker()

    assert judge() == 0
    sign(DEFAULT, TTL)
    assert judge() == 0


def test_what_a_stopped_or_lost_worker_left_is_taken_back_without_any_wait() -> None:
    heart = heart_of()
    row = schedule(tasks.plain)()
    take(heart.lease, row)
    heart.stop()

    assert rescue(DEFAULT)[0] == 1

    row.refresh_from_db()
    assert (row.status, row.crashes) == ("scheduled", 1)
    row.delete()


# --- who leads ---


def test_one_leads_until_its_lead_lapses_or_it_resigns() -> None:
    sign(DEFAULT, TTL)
    one, two = heart_of("one").worker.pk, heart_of("two").worker.pk

    assert [lead(DEFAULT, who, TTL) for who in (one, two, one)] == [True, False, True]

    Fleet.objects.update(leader_until=Now() - timedelta(seconds=1))
    assert [lead(DEFAULT, who, TTL) for who in (two, one)] == [True, False]

    resign(DEFAULT, one)
    assert not lead(DEFAULT, one, TTL)
    resign(DEFAULT, two)
    assert lead(DEFAULT, one, TTL)


def test_a_lead_from_a_clock_that_was_ahead_does_not_last() -> None:
    sign(DEFAULT, TTL)
    assert lead(DEFAULT, heart_of("one").worker.pk, timedelta(days=1))

    assert lead(DEFAULT, heart_of("two").worker.pk, TTL)


def test_a_worker_that_was_declared_lost_does_not_live_again_by_draining() -> None:
    heart = heart_of()
    Worker.objects.update(status="lost")

    heart.drain()

    assert Worker.objects.get().status == "lost"

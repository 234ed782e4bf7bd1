"""The rows under which policies are judged: made when they are needed, and pruned after that."""

from __future__ import annotations

import threading
from datetime import timedelta

from django.db import connections

from django_agenda import schedule
from django_agenda.clock import now
from django_agenda.models import Gate, Worker
from django_agenda.scheduling.gates import prune_gates
from tests import gated_tasks as tasks

from .gates import DEFAULT, end, take

DAYS = timedelta(days=3)


def age() -> None:
    Gate.objects.update(used_at=now() - DAYS)


def test_a_gate_that_nobody_uses_is_pruned(living_worker: Worker) -> None:
    [running] = take(living_worker, schedule(tasks.alone)("/dev/null"))
    age()
    assert prune_gates(DEFAULT) == 0

    end(living_worker, running)

    assert prune_gates(DEFAULT) == 1


def test_a_gate_that_has_something_to_remember_is_kept(living_worker: Worker) -> None:
    take(living_worker, schedule(tasks.rarely)(), schedule(tasks.twice_an_hour)())
    age()

    assert prune_gates(DEFAULT) == 0

    for gate in Gate.objects.all():
        gate.state["until"] = 0
        gate.save()
    age()
    assert prune_gates(DEFAULT) == 2


def test_a_claim_says_now_and_then_that_a_gate_is_used(living_worker: Worker) -> None:
    [running] = take(living_worker, schedule(tasks.alone)("/dev/null"))
    end(living_worker, running)
    age()

    take(living_worker, schedule(tasks.alone)("/dev/null"))

    assert Gate.objects.get().used_at > now() - timedelta(minutes=1)


def test_two_claims_that_make_one_gate_at_once_share_it(living_worker: Worker) -> None:
    rows = [schedule(tasks.one_of_each)("/dev/null", 7) for _ in range(8)]
    passed: list[str] = []

    def claim_one(number: int) -> None:
        passed.extend(one.id for one in take(living_worker, rows[number]))
        connections.close_all()

    threads = [threading.Thread(target=claim_one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(passed) == 1
    assert Gate.objects.count() == 1

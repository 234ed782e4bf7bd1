from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from django_agenda.worker import supervisor
from django_agenda.worker.child import share
from django_agenda.worker.options import Options
from django_agenda.worker.supervisor import Seat


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Mock:
    clock = Mock(return_value=100.0)
    monkeypatch.setattr(supervisor, "monotonic", clock)
    return clock


def die(seat: Seat, clock: Mock, *, after: float) -> float:
    """Return how long the seat stays empty after a child that lived that long."""
    child: Any = Mock(born_at=clock.return_value)
    seat.child = child
    clock.return_value += after
    seat.vacate()
    return seat.not_before - float(clock.return_value)


def test_a_seat_is_filled_at_once_but_ever_later_when_children_die_young(clock: Mock) -> None:
    seat = Seat(options=Options())

    pauses = [die(seat, clock, after=1) for _ in range(12)]

    assert pauses[0] == 0.0
    assert 0.25 <= pauses[1] <= 0.5 <= pauses[2] <= 1.0 <= pauses[3] <= 2.0
    assert 15 <= pauses[-1] <= 30
    assert die(seat, clock, after=60) == 0.0
    assert die(seat, clock, after=1) == 0.0


def test_children_share_what_is_limited_for_all_of_them() -> None:
    options = Options(processes=3, max_tasks=7, cpu_processes=4, worker_id="w", concurrency=5)

    shares = [share(options, number) for number in range(3)]

    assert [one.max_tasks for one in shares] == [3, 2, 2]
    assert [one.cpu_processes for one in shares] == [2, 2, 2]
    assert [one.worker_id for one in shares] == ["w-1", "w-2", "w-3"]
    assert [one.concurrency for one in shares] == [5, 5, 5]


def test_a_single_child_has_the_name_that_was_given() -> None:
    assert share(Options(worker_id="w"), 0).worker_id == "w"
    assert share(Options(), 0).worker_id is None

"""What hangs ends the worker; what waits, pauses, or was stopped with it, does not."""

from __future__ import annotations

import threading

import pytest

from django_agenda.worker import progress, watchdog
from django_agenda.worker.progress import Progress
from django_agenda.worker.watchdog import STUCK, Watchdog
from tests.waiting import wait_until

LIMIT = 15.0


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watchdog, "monotonic", clock)
    monkeypatch.setattr(progress, "monotonic", clock)
    return clock


def watched(*parts: Progress) -> Watchdog:
    named = {f"part {number}": part for number, part in enumerate(parts)}
    return Watchdog(named, LIMIT, lambda: None, lambda code: None)


def look_for(dog: Watchdog, clock: Clock, seconds: int, every: float = 1.0) -> str:
    for _ in range(int(seconds / every)):
        clock.time += every
        if found := dog.look():
            return found
    return ""


def test_a_part_that_is_in_one_step_for_too_long_is_named(clock: Clock) -> None:
    fine, stuck = Progress(), Progress()
    dog = watched(fine, stuck)
    stuck.begin()

    assert look_for(dog, clock, 15) == ""
    assert look_for(dog, clock, 3) == "part 1"


def test_a_part_that_waits_or_pauses_is_in_no_step(clock: Clock) -> None:
    part = Progress()
    dog = watched(part)
    for _ in range(20):
        with part:
            assert look_for(dog, clock, 10) == ""
        assert look_for(dog, clock, 5) == ""


def test_a_step_that_comes_further_begins_anew(clock: Clock) -> None:
    part = Progress()
    dog = watched(part)
    part.begin()
    for _ in range(10):
        assert look_for(dog, clock, 10) == ""
        part.begin()


@pytest.mark.parametrize("asleep", [60.0, 3600.0])
def test_time_in_which_the_watchdog_slept_as_well_hardly_counts(
    clock: Clock, asleep: float
) -> None:
    part = Progress()
    dog = watched(part)
    part.begin()
    look_for(dog, clock, 2)

    clock.time += asleep

    assert dog.look() == ""
    assert look_for(dog, clock, 9) == ""
    assert look_for(dog, clock, 8) == "part 0"


def test_a_part_whose_thread_is_dead_is_named(clock: Clock) -> None:
    part = Progress()
    part.is_alive = lambda: False
    dog = watched(part)

    assert look_for(dog, clock, 15) == ""
    assert look_for(dog, clock, 3) == "part 0"


def test_the_end_is_a_last_flush_then_the_stacks_and_the_exit_code(
    capfd: pytest.CaptureFixture[str],
) -> None:
    part, codes, flushed = Progress(), list[int](), list[bool]()
    dog = Watchdog({"heart": part}, 0.1, lambda: flushed.append(True), codes.append)
    part.begin()

    dog.start()

    wait_until(lambda: codes, 20)
    assert (codes, flushed) == ([STUCK], [True])
    said = capfd.readouterr().err
    assert "agenda: heart hangs" in said
    assert "most recent call first" in said


def test_a_last_flush_that_hangs_as_well_does_not_hold_it_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchdog, "LAST_GASP", 0.05)
    part, codes, never = Progress(), list[int](), threading.Event()
    dog = Watchdog({"recorder": part}, 0.1, never.wait, codes.append)
    part.begin()

    dog.start()

    wait_until(lambda: codes, 20)
    never.set()


def test_one_that_was_stopped_looks_no_more() -> None:
    part, codes = Progress(), list[int]()
    dog = Watchdog({"heart": part}, 0.1, lambda: None, codes.append)
    part.begin()
    dog.start()

    dog.stop()

    dog.join(20)
    assert not dog.is_alive()
    assert codes == []

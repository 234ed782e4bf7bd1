"""What is costly is counted once at a time, and kept for a moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from django_agenda.admin import memory as room
from django_agenda.admin.memory import Memory
from tests.waiting import wait_until


class Clock:
    """Say how many seconds have passed."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(room, "monotonic", clock)
    return clock


def test_two_who_ask_at_one_instant_are_given_the_same_count() -> None:
    memory, go, counted = Memory(), Event(), []

    def count() -> object:
        counted.append(1)
        assert go.wait(30)
        return object()

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(memory.recall, "a", count) for _ in range(8)]
        wait_until(lambda: bool(counted), 30, what="the first count")
        go.set()
        answers = {id(one.result(30)) for one in asked}

    assert len(answers) == len(counted) == 1


def test_nobody_waits_for_the_count_of_something_else() -> None:
    memory, go = Memory(), Event()

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(memory.recall, "slow", lambda: go.wait(30))
        assert memory.recall("quick", lambda: "at once") == "at once"
        go.set()

        assert slow.result(30)


@pytest.mark.parametrize(("cost", "kept"), [(0.0, 2.0), (0.1, 2.0), (3.0, 15.0)])
def test_a_count_is_kept_for_longer_the_more_it_costs(
    clock: Clock, cost: float, kept: float
) -> None:
    memory, counts = Memory(), iter(range(10))

    def count() -> int:
        clock.seconds += cost
        return next(counts)

    assert memory.recall("a", count) == 0
    clock.seconds += kept - 0.01
    assert memory.recall("a", count) == 0
    clock.seconds += 0.02
    assert memory.recall("a", count) == 1


def test_what_is_final_is_kept_for_an_hour(clock: Clock) -> None:
    memory, counts = Memory(), iter(range(10))

    for seconds in (0, 3599):
        clock.seconds += seconds
        assert memory.recall("a", lambda: next(counts), is_final=True) == 0


def test_a_count_that_fails_is_tried_again_by_the_next() -> None:
    memory = Memory()
    with pytest.raises(ZeroDivisionError):
        memory.recall("a", lambda: 1 // 0)

    assert memory.recall("a", lambda: 1) == 1


def test_the_oldest_is_forgotten_when_there_are_too_many(clock: Clock) -> None:
    memory = Memory(size=2)
    for key in ("a", "b", "a", "c"):
        memory.recall(key, lambda key=key: key)  # type: ignore[misc]

    assert memory.recall("a", lambda: "anew") == "a"
    assert memory.recall("b", lambda: "anew") == "anew"

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from django_agenda.clock import monotonic
from django_agenda.worker.deadline import Deadlines
from django_agenda.worker.hands import Hands
from django_agenda.worker.queues import Queues


def hands(concurrency: int = 4) -> tuple[Hands, list[int]]:
    calls: list[int] = []
    return Hands(concurrency, lambda: calls.append(1)), calls


def ran(mine: Hands, *seconds: float) -> None:
    for each in seconds:
        mine.take(1)
        mine.put_down(1, seconds=each)


def test_at_first_there_is_room_for_what_can_run_at_once() -> None:
    mine, _ = hands(4)

    assert (mine.room(), mine.free, mine.held) == (4, 4, 0)


def test_full_hands_have_no_room_and_say_when_they_have_again() -> None:
    mine, calls = hands(4)
    mine.take(4)

    assert mine.room() == 0
    assert mine.free == 0
    mine.put_down(1)

    assert calls == [1]
    assert mine.room() == 1


def test_short_bodies_let_it_hold_about_50_ms_of_work() -> None:
    mine, _ = hands(4)
    ran(mine, *[0.001] * 500)

    assert 180 <= mine.room() <= 204


def test_long_bodies_are_not_hoarded() -> None:
    mine, _ = hands(4)
    ran(mine, 60.0)

    assert mine.room() == 4


def test_a_few_short_bodies_say_little_of_the_next() -> None:
    mine, _ = hands(4)
    ran(mine, *[0.0] * 10)
    assert mine.room() <= 6

    ran(mine, *[0.0] * 1000, 1.0)
    assert mine.room() <= 5


def test_bodies_of_no_time_at_all_have_a_limit_too() -> None:
    mine, _ = hands(4)
    ran(mine, *[0.0] * 2000)

    assert mine.room() == 1004


def test_who_wants_few_outcomes_unsaved_has_few_at_hand() -> None:
    mine = Hands(4, lambda: None, most=100)
    ran(mine, *[0.0] * 2000)

    assert mine.room() == 104


# --- queues ---


def test_named_queues_are_served_but_for_the_excluded() -> None:
    queues = Queues(["a", "b", "a", "c"], ["b"])

    assert sorted(queues.served()) == ["a", "c"]


@pytest.mark.parametrize("name", ["No", "a b", "", "x" * 65])
def test_a_name_that_no_queue_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="queue name"):
        Queues([name])
    with pytest.raises(ValueError, match="queue name"):
        Queues(["*"], [name])


# --- deadlines ---


@pytest.fixture
def deadlines() -> Iterator[Deadlines]:
    """Run without the collector: hypothesis has a callback in it, which swallows a time-out."""
    made = Deadlines()
    made.start()
    gc.disable()
    yield made
    gc.enable()


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Switch threads often, as the worker does and more, so that races come up in a second."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    yield
    sys.setswitchinterval(before)


def spin() -> None:
    while True:
        sum(range(50))


def test_a_body_that_takes_too_long_is_ended_in_the_middle(deadlines: Deadlines) -> None:
    began = monotonic()

    with pytest.raises(TimeoutError, match="longer than"):
        deadlines.run(timedelta(seconds=0.05), spin)

    assert 0.05 <= monotonic() - began < 10
    deadlines.stop()


def test_a_body_in_time_returns_what_it_returns(deadlines: Deadlines) -> None:
    assert deadlines.run(timedelta(seconds=5), lambda: 7) == 7
    deadlines.stop()


def test_a_body_that_swallows_its_time_out_has_timed_out_all_the_same(deadlines: Deadlines) -> None:
    def stubborn() -> str:
        with suppress(TimeoutError):
            spin()
        return "done"

    with pytest.raises(TimeoutError):
        deadlines.run(timedelta(seconds=0.05), stubborn)
    deadlines.stop()


def test_a_time_out_of_the_body_itself_comes_through(deadlines: Deadlines) -> None:
    def own() -> None:
        raise TimeoutError("the other server")

    with pytest.raises(TimeoutError, match="the other server"):
        deadlines.run(timedelta(seconds=5), own)
    deadlines.stop()


def test_a_time_out_at_the_end_of_a_body_hits_nothing_else_and_blocks_nobody(
    deadlines: Deadlines, eager_switches: None
) -> None:
    hits: list[BaseException] = []

    def run() -> None:
        for _ in range(800):
            with suppress(TimeoutError):
                deadlines.run(timedelta(seconds=0.0005), lambda: sum(range(10_000)))
            try:
                sum(range(2_000))
            except TimeoutError as error:
                hits.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert not any(thread.is_alive() for thread in threads), "A body never came back."
    assert hits == []
    deadlines.stop()

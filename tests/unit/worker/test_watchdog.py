from __future__ import annotations

from datetime import timedelta
from unittest.mock import Mock

import pytest

from django_agenda.worker import watchdog
from django_agenda.worker.watchdog import Watchdog, memory


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Mock:
    clock = Mock(return_value=0.0)
    monkeypatch.setattr(watchdog, "monotonic", clock)
    return clock


@pytest.fixture
def end(monkeypatch: pytest.MonkeyPatch) -> Mock:
    end = Mock()
    monkeypatch.setattr(watchdog, "_end_the_process", end)
    return end


def test_a_part_that_comes_around_is_progress(clock: Mock, end: Mock) -> None:
    progress, check = Mock(), Mock()
    marks = iter(range(10))
    dog = Watchdog(
        {"claimer": lambda: next(marks), "heart": lambda: None},
        checks=[check],
        progress=progress,
        limit=timedelta(seconds=60),
    )

    for seconds in (0.0, 40.0, 80.0, 120.0):
        clock.return_value = seconds
        dog.tick()

    assert progress.call_count == check.call_count == 4
    end.assert_not_called()


def test_a_part_that_hangs_ends_the_process(clock: Mock, end: Mock) -> None:
    progress = Mock()
    dog = Watchdog(
        {"recorder": lambda: 1, "heart": lambda: None},
        checks=[],
        progress=progress,
        limit=timedelta(seconds=60),
    )

    for seconds in (0.0, 10.0, 20.0, 59.0):
        clock.return_value = seconds
        dog.tick()
    assert progress.call_count == 2
    end.assert_not_called()
    clock.return_value = 61.0
    dog.tick()

    end.assert_called_once_with("recorder", 61.0)


def test_without_a_limit_it_only_tells_of_progress(clock: Mock, end: Mock) -> None:
    dog = Watchdog({"heart": lambda: 1}, checks=[], progress=Mock(), limit=None)

    dog.tick()
    clock.return_value = 1e6
    dog.tick()

    end.assert_not_called()


def test_the_memory_of_this_process_is_told_in_bytes() -> None:
    assert 10 * 2**20 < memory() < 10 * 2**30

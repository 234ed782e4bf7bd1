from __future__ import annotations

from unittest.mock import Mock

import pytest

from django_agenda.worker import pulse
from django_agenda.worker.progress import Progress
from django_agenda.worker.pulse import Pulse, memory


@pytest.fixture
def parts() -> list[Progress]:
    return [Progress(), Progress()]


def beats(parts: list[Progress]) -> bool:
    check, progress = Mock(), Mock()
    Pulse(parts, check=check, progress=progress).tick()
    check.assert_called_once_with()
    return bool(progress.called)


def test_parts_that_wait_or_have_just_begun_make_progress(parts: list[Progress]) -> None:
    parts[0].begin()

    assert beats(parts)


def test_a_part_that_has_been_in_one_step_for_long_makes_none(
    parts: list[Progress], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts[1].begin()
    assert parts[1].busy_since is not None
    monkeypatch.setattr(pulse, "monotonic", Mock(return_value=parts[1].busy_since + 16))

    assert not beats(parts)


def test_a_part_that_is_dead_makes_none(parts: list[Progress]) -> None:
    parts[0].is_alive = lambda: False

    assert not beats(parts)


def test_the_memory_of_this_process_is_told_in_bytes() -> None:
    assert 10 * 2**20 < memory() < 10 * 2**30

"""A process whose clock is wrong goes by the database's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from django_agenda import clock
from django_agenda.clock import correct, now, unix_ms
from django_agenda.conf import get_settings
from django_agenda.worker.heart import Heart, new_worker
from django_agenda.worker.trouble import Trouble

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _right_clock() -> Iterator[None]:
    yield
    clock._correction = timedelta(0)


def heart() -> Heart:
    row = new_worker("one", queues="*", concurrency=1, version="")
    return Heart("default", row, get_settings(), Trouble())


@pytest.mark.parametrize("wrong_by", [timedelta(days=-1), timedelta(days=1), timedelta(seconds=5)])
def test_the_first_heartbeat_and_every_other_put_the_clock_right(wrong_by: timedelta) -> None:
    right = now()
    correct(wrong_by)
    one = heart()

    one.register()
    assert abs(now() - right) < 2 * SECOND
    correct(wrong_by)
    one.tick()

    assert abs(now() - right) < 3 * SECOND
    assert abs(unix_ms() / 1000 - right.timestamp()) < 3


def test_a_clock_that_is_nearly_right_is_left_alone() -> None:
    correct(SECOND / 2)

    heart().register()

    assert clock._correction == SECOND / 2

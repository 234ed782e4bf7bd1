from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from django_agenda.clock import monotonic
from django_agenda.worker.shutdown import Shutdown


@pytest.fixture
def shutdown() -> Iterator[Shutdown]:
    with Shutdown() as one:
        yield one


def later(step: object, *args: object) -> None:
    threading.Timer(0.05, step, args).start()  # type: ignore[arg-type]


def hear_in_this_thread(number: signal.Signals) -> None:
    signal.pthread_kill(threading.get_ident(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_is_given_is_heard_at_once(
    number: signal.Signals, shutdown: Shutdown
) -> None:
    began = monotonic()
    later(hear_in_this_thread, number)

    assert shutdown.wait(20)

    assert monotonic() - began < 10
    assert (shutdown.count, shutdown.reason) == (1, number.name)


def test_a_signal_that_is_none_of_ours_ends_no_wait(shutdown: Shutdown) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    later(hear_in_this_thread, signal.SIGUSR1)
    later(lambda: threading.Timer(0.1, shutdown.request, ("enough",)).start())

    assert shutdown.wait(None)

    signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]
    assert shutdown.reason == "enough"


def test_a_poke_ends_a_wait_with_a_limit_and_counts_for_nothing(shutdown: Shutdown) -> None:
    began = monotonic()
    later(shutdown.poke)

    assert not shutdown.wait(20)

    assert monotonic() - began < 10


def test_handlers_and_the_interpreters_own_wake_up_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Shutdown():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1

from __future__ import annotations

import os
import signal
import socket
import threading
from unittest.mock import Mock

from django_agenda.clock import monotonic
from django_agenda.worker.shutdown import Shutdown


def hear(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def test_signals_are_counted_and_the_handlers_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with Shutdown(at_once=Mock()) as shutdown:
        assert not shutdown.wait(0)
        hear(signal.SIGTERM)
        assert shutdown.wait(None)
        assert not shutdown.wait(0, beyond=1)
        hear(signal.SIGINT)
        assert shutdown.wait(None, beyond=1)
        assert (shutdown.count, shutdown.reason) == (2, "SIGINT")
        assert shutdown.told_at is not None

    assert signal.getsignal(signal.SIGTERM) is before


def test_the_third_signal_is_for_the_end_at_once() -> None:
    at_once = Mock()

    with Shutdown(at_once=at_once):
        for _ in range(2):
            hear(signal.SIGTERM)
        at_once.assert_not_called()
        hear(signal.SIGTERM)

    at_once.assert_called_once_with()


def test_after_the_second_signal_the_third_needs_no_handler() -> None:
    with Shutdown():
        hear(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        hear(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_child_counts_orders_and_not_signals() -> None:
    order = 0
    with Shutdown(lambda: order) as shutdown:
        hear(signal.SIGINT)
        assert shutdown.count == 0
        for _ in range(3):
            hear(signal.SIGTERM)
        assert shutdown.count == 1
        order = 2
        hear(signal.SIGTERM)
        assert shutdown.count == 2


def test_an_order_that_came_before_the_handlers_is_heeded() -> None:
    with Shutdown(lambda: 1) as shutdown:
        assert shutdown.wait(0)


def test_an_orphan_counts_for_itself() -> None:
    with Shutdown(lambda: 0) as shutdown:
        shutdown.orphaned()
        assert (shutdown.count, shutdown.reason) == (1, "the supervisor is gone")
        hear(signal.SIGTERM)
        assert shutdown.count == 2


def test_waiting_is_interrupted_by_a_poke_and_by_what_is_to_be_read() -> None:
    ours, theirs = socket.socketpair()
    heard = Mock(side_effect=lambda: ours.recv(1))
    with ours, theirs, Shutdown() as shutdown:
        shutdown.listen(ours, heard)
        began = monotonic()
        shutdown.poke()
        assert not shutdown.wait(30)
        theirs.send(b"x")
        assert not shutdown.wait(30)
        heard.assert_called_once_with()
        shutdown.forget(ours)
        theirs.send(b"x")
        assert not shutdown.wait(0.01)
        assert monotonic() - began < 10


def test_a_request_of_its_own_is_no_order() -> None:
    with Shutdown() as shutdown:
        shutdown.request("nothing is due")
        shutdown.request("later")
        assert (shutdown.count, shutdown.reason, shutdown.told_at) == (1, "nothing is due", None)
        shutdown.tell("stop")
        assert (shutdown.count, shutdown.reason) == (1, "nothing is due")
        assert shutdown.told_at is not None


def test_a_signal_that_another_thread_gets_wakes_the_one_that_waits() -> None:
    def get_it() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    with Shutdown() as shutdown:
        another = threading.Timer(0.2, get_it)
        another.start()

        began = monotonic()
        assert shutdown.wait(30)
        assert monotonic() - began < 20
        another.join()

from __future__ import annotations

import threading

from django_agenda.exceptions import BrokerUnavailable
from django_agenda.worker.loop import Loop
from django_agenda.worker.trouble import BROKER, Trouble


def stopped_while_it_waits(error: Exception) -> Trouble:
    """Return what is known after a loop was stopped, and its last tick ended with that error."""
    is_waiting, may_end, trouble = threading.Event(), threading.Event(), Trouble()

    def tick() -> float:
        is_waiting.set()
        may_end.wait(10)
        raise error

    loop = Loop("bell", tick, trouble)
    loop.start()
    is_waiting.wait(10)
    loop.stop()
    may_end.set()
    loop.join(10)
    return trouble


def test_one_that_was_stopped_while_it_waits_does_not_complain_of_redis() -> None:
    trouble = stopped_while_it_waits(BrokerUnavailable("Connection closed by server."))

    assert not trouble.is_on(BROKER)
    assert trouble.failures == 0


def test_it_tells_of_every_other_error_to_the_end() -> None:
    assert stopped_while_it_waits(ValueError("a mistake of ours")).failures == 1

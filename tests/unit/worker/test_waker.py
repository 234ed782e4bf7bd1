from __future__ import annotations

from unittest.mock import Mock

import pytest

from django_agenda.broker import broker
from django_agenda.worker.hands import Hands
from django_agenda.worker.queues import Queues
from django_agenda.worker.trouble import Trouble
from django_agenda.worker.waker import Waker


@pytest.mark.parametrize("is_quiet", [True, False])
def test_a_quiet_worker_leaves_the_token_to_others(
    monkeypatch: pytest.MonkeyPatch, is_quiet: bool
) -> None:
    wait = Mock(return_value=True)
    monkeypatch.setattr(broker, "wait_for_wake", wait)
    waker = Waker(Queues(["mail"]), Hands(1, lambda: None), 5.0, Trouble())
    waker.is_quiet = lambda: is_quiet
    waker.wake = Mock()

    rests = waker.tick()

    assert wait.called is not is_quiet
    assert waker.wake.called is not is_quiet
    assert rests == (5.0 if is_quiet else 0.0)

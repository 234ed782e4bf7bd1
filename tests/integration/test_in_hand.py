"""What is in hand is known by its claim: one execution may be there twice."""

from __future__ import annotations

from django_agenda import schedule
from django_agenda.models import Execution, Worker
from django_agenda.worker.claim import Claim
from django_agenda.worker.claims import give_back
from django_agenda.worker.in_hand import InHand
from tests import tasks

from .control import DEFAULT, take


def claimed(worker: Worker, row: Execution) -> Claim:
    [one] = take(worker, row)
    return one


def test_the_same_execution_may_be_in_hand_twice_after_its_first_claim_was_lost(
    living_worker: Worker,
) -> None:
    row = schedule(tasks.plain)()
    first = claimed(living_worker, row)
    give_back(DEFAULT, living_worker, [(first.id, first.attempt)])
    second = claimed(living_worker, row)
    in_hand = InHand()
    in_hand.add([first, second])
    contexts = [in_hand.begin(first), in_hand.begin(second)]

    assert in_hand.end(first)
    in_hand.cancel([row.pk.hex])

    assert [context.is_cancelled for context in contexts if context] == [False, True]
    assert in_hand.ids() == [row.pk.hex]
    assert (in_hand.end(second), in_hand.end(second)) == (True, False)
    give_back(DEFAULT, living_worker, [(second.id, second.attempt)])

"""What is in hand is put down once: at the end of its body, or when it is given back."""

from __future__ import annotations

from django_agenda import schedule
from django_agenda.models import Execution, Worker
from django_agenda.worker.claim import Claim
from django_agenda.worker.claims import give_back
from django_agenda.worker.in_hand import InHand
from django_agenda.worker.options import Options
from django_agenda.worker.worker import WorkerProcess
from tests import tasks

from .control import DEFAULT, outcome, take


def claimed(worker: Worker, row: Execution) -> Claim:
    [one] = take(worker, row)
    return one


def test_a_body_that_ends_after_it_was_given_back_is_not_put_down_again(
    living_worker: Worker,
) -> None:
    process = WorkerProcess(Options())
    one = claimed(living_worker, schedule(tasks.plain)())
    process._hands.take(1)
    process._in_hand.add([one])
    assert process._in_hand.begin(one)

    with process._shutdown, process._control:
        process._let_go([each for each in (one,) if process._in_hand.end(each)])
        process._done(outcome(one))

    assert process._counts()["running"] == 0
    Execution.objects.all().delete()


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

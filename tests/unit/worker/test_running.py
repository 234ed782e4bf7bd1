from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from django_agenda.clock import monotonic, now
from django_agenda.models import Worker
from django_agenda.tasks.task import Task
from django_agenda.worker.board import Board, Slot
from django_agenda.worker.claim import Claim
from django_agenda.worker.in_hand import InHand
from django_agenda.worker.lease import Lease
from django_agenda.worker.running import Bodies


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board(2)
    yield board
    board.close()


def body(number: int) -> int:
    return number


def claim(**options: Any) -> Claim:
    return Claim(
        id=uuid4().hex,
        batch_id=None,
        task_name="anything",
        args="[]",
        kwargs="{}",
        attempt=3,
        max_attempts=1,
        crashes=0,
        due_at=now(),
        expires_ms=None,
        key=None,
        queue_name="default",
        priority=0,
        task=Task(body, **options),
        starts=0.0,
        lease=Lease(Worker()),
    )


def bodies_of(board: Board, *claims: Claim, grace: timedelta = timedelta(seconds=5)) -> Bodies:
    in_hand = InHand()
    in_hand.add(claims)
    return Bodies(board, in_hand, grace)


def test_another_process_reads_what_runs_after_this_one_has_died(board: Board) -> None:
    one, two = uuid4().hex, uuid4().hex
    pid = os.fork()
    if pid == 0:
        board.begin(0, (one, 1), 0.0)
        board.begin(700, (two, 2), 12.5)
        board.begin(1, (one, 7), 0.0)
        board.end(1)
        board.remember((one, 7))
        board.retires = True
        os._exit(1)
    os.waitpid(pid, 0)

    assert board.running() == [Slot((one, 1), 0.0), Slot((two, 2), 12.5)]
    assert board.remembered() == {(one, 7)}
    assert board.retires


def test_the_board_remembers_thousands_and_forgets_the_oldest(board: Board) -> None:
    tokens = [(uuid4().hex, 1) for _ in range(5000)]

    for token in tokens:
        board.remember(token)

    assert board.remembered() == set(tokens[-4096:])


def test_the_fields_of_the_board_do_not_overlap(board: Board) -> None:
    worker = uuid4()

    board.worker, board.order, board.retires, board.finished = worker, 2, True, True
    board.count()
    board.count()
    board.alive()
    board.progress()
    board.remember((worker.hex, 1))

    assert (board.worker, board.order, board.ended) == (worker, 2, 2)
    assert board.retires
    assert board.finished
    assert monotonic() - board.alive_at < 60 > monotonic() - board.progress_at


def test_a_body_is_on_the_board_while_it_runs(board: Board) -> None:
    threaded, coroutine = claim(timeout=10), claim()
    bodies = bodies_of(board, threaded, coroutine)

    bodies.begin(threaded, 1)
    bodies.begin(coroutine, None)

    tokens = {slot.token: slot.ends for slot in board.running()}
    assert set(tokens) == {(threaded.id, 3), (coroutine.id, 3)}
    assert 14 < tokens[threaded.id, 3] - monotonic() <= 15
    assert tokens[coroutine.id, 3] == 0.0
    assert bodies.end(threaded)
    assert bodies.end(coroutine)
    assert board.running() == []
    assert board.remembered() == set()


def test_what_may_run_but_once_is_remembered_after_its_end(board: Board) -> None:
    once = claim(on_worker_lost="fail")
    bodies = bodies_of(board, once)

    bodies.begin(once, 0)
    bodies.end(once)

    assert board.remembered() == {(once.id, 3)}


def test_a_stuck_body_is_written_off_once_and_keeps_its_slot_until_it_returns(
    board: Board,
) -> None:
    stuck, other = claim(timeout=timedelta(microseconds=1)), claim(timeout=60)
    bodies = bodies_of(board, stuck, other, grace=timedelta(microseconds=1))
    bodies.begin(stuck, 0)
    bodies.begin(other, 1)

    (found,) = bodies.overdue()

    assert found.claim is stuck
    assert bodies.write_off(found)
    assert not bodies.write_off(found)
    assert bodies.overdue() == []
    assert board.running()[0] == Slot((stuck.id, 3), 0.0)
    assert not bodies.end(stuck), "Its end is told twice."
    assert len(board.running()) == 1


def test_more_bodies_than_slots_run_all_the_same(board: Board) -> None:
    board.spare.clear()
    one = claim()
    bodies = bodies_of(board, one)

    bodies.begin(one, None)

    assert board.running() == []
    assert bodies.end(one)


def test_what_was_let_go_of_does_not_begin(board: Board) -> None:
    one = claim()
    bodies = bodies_of(board)

    assert bodies.begin(one, 0) is None
    assert bodies.begin_elsewhere(one) is None
    assert board.running() == []

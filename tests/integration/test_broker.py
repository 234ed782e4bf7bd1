"""The scripts on a real server: what is due, most urgent first, and never early."""

from __future__ import annotations

import random
from collections.abc import Iterable
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_agenda.broker import broker
from django_agenda.broker.connection import client
from django_agenda.broker.entry import Entry
from django_agenda.broker.scripts import script
from django_agenda.exceptions import BrokerUnavailable
from tests.conftest import RedisServer

FAR = 10_000_000


@pytest.fixture(autouse=True)
def _everything_holds() -> None:
    """Need no database: what these tests put in has no rows."""


def server_ms() -> int:
    seconds, microseconds = client().time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def entry(due_ms: int, priority: int = 0, queue: str = "default") -> Entry:
    return Entry(uuid4().hex, queue, due_ms, priority)


def claim(*queues: str, limit: int = 100, ahead: int = 0, reach_ms: int = 0) -> broker.Claims:
    return broker.claim(queues or ("default",), limit=limit, ahead=ahead, reach_ms=reach_ms)


def ids(entries: Iterable[Entry]) -> list[str]:
    return [one.id for one in entries]


def test_what_is_due_is_popped_once_in_the_order_of_due_times() -> None:
    base = server_ms() - 1000
    entries = [entry(base + offset) for offset in (30, 10, 20)]
    broker.add(entries)

    first, second = claim(), claim()

    assert first.ids == ids([entries[1], entries[2], entries[0]])
    assert second.ids == []
    assert second.next_due_ms is None
    assert not first.more


def test_what_is_not_due_stays() -> None:
    later = entry(server_ms() + FAR)
    broker.add([later])

    found = claim()

    assert found.ids == []
    assert found.next_due_ms == later.due_ms
    assert broker.missing([later]) == []


def test_nothing_is_popped_before_its_millisecond() -> None:
    base = server_ms()
    entries = [entry(base + offset) for offset in range(40)]
    due = {one.id: one.due_ms for one in entries}
    broker.add(entries)

    popped: list[tuple[int, str]] = []
    while len(popped) < len(entries):
        found = claim()
        popped += [(found.now_us, id_) for id_ in found.ids]

    assert all(now_us // 1000 >= due[id_] for now_us, id_ in popped)


def test_what_is_due_within_reach_is_popped_only_as_far_as_asked() -> None:
    base = server_ms()
    soon = [entry(base + 5_000 + offset) for offset in range(4)]
    far = entry(base + 60_000)
    broker.add([*soon, far])

    found = claim(limit=10, ahead=2, reach_ms=10_000)

    assert found.ids == ids(soon[:2])
    assert found.next_due_ms == soon[2].due_ms


def test_under_backlog_the_higher_priority_goes_first_and_then_the_earlier() -> None:
    base = server_ms() - 10_000
    entries = [entry(base + n, priority) for n, priority in enumerate([0, 5, -100, 100, 5, 0])]
    broker.add(entries)

    popped = [id_ for _ in range(6) for id_ in claim(limit=1).ids]

    wanted = sorted(entries, key=lambda one: (-one.priority, one.due_ms))
    assert popped == ids(wanted)


def test_a_higher_priority_that_comes_during_the_backlog_goes_first() -> None:
    base = server_ms() - 10_000
    old = [entry(base + n) for n in range(5)]
    broker.add(old)
    assert claim(limit=1).more
    urgent = entry(base + 9_000, priority=1)
    broker.add([urgent])

    assert claim(limit=1).ids == [urgent.id]


def test_a_backlog_says_that_there_is_more() -> None:
    broker.add([entry(server_ms() - 1000) for _ in range(5)])

    found = [claim(limit=2) for _ in range(3)]

    assert [len(one.ids) for one in found] == [2, 2, 1]
    assert [one.more for one in found] == [True, True, False]


def test_a_backlog_of_thousands_is_popped_wholly_and_once() -> None:
    base = server_ms() - 100_000
    entries = [entry(base + n % 977, n % 201 - 100) for n in range(5_000)]
    broker.add(entries)

    popped: list[str] = []
    while found := claim(limit=700).ids:
        popped += found

    assert sorted(popped) == sorted(ids(entries))


def test_with_no_room_nothing_is_popped() -> None:
    broker.add([entry(server_ms() - 1000)])

    assert claim(limit=0).ids == []
    assert len(claim(limit=1).ids) == 1


def test_a_backlog_of_one_queue_does_not_starve_another() -> None:
    base = server_ms() - 10_000
    broker.add([entry(base, queue="a") for _ in range(200)])
    broker.add([entry(base, queue="b"), entry(base, priority=100, queue="c")])
    wanted = set(ids_of("b") + ids_of("c"))

    popped = {id_ for _ in range(10) for id_ in claim("a", "b", "c", limit=10).ids}

    assert wanted <= popped


def ids_of(queue: str) -> list[str]:
    return [str(id_) for id_ in client().zrange(f"{{test}}:due:{queue}", 0, -1)]


def test_only_the_queues_that_are_asked_for_are_popped() -> None:
    base = server_ms() - 1000
    mine, other = entry(base, queue="mine"), entry(base, queue="other")
    broker.add([mine, other])

    assert claim("mine").ids == [mine.id]
    assert broker.queue_names() == ["mine", "other"]
    assert broker.sizes() == {"mine": 0, "other": 1}


def test_claiming_from_no_queue_finds_nothing() -> None:
    assert broker.claim([], limit=5, ahead=5, reach_ms=100).ids == []


def test_adding_again_moves_an_entry() -> None:
    one = entry(server_ms() + FAR)
    broker.add([one])
    broker.add([one._replace(due_ms=server_ms() - 1)])

    assert claim().ids == [one.id]
    assert claim().ids == []


def test_removed_entries_are_gone_wherever_they_wait() -> None:
    base = server_ms() - 10_000
    backlog = [entry(base + n) for n in range(4)]
    later = entry(server_ms() + FAR)
    broker.add([*backlog, later])
    assert claim(limit=1).more  # the rest is in the ready set now

    broker.remove([(one.id, "default") for one in (*backlog, later)])

    assert claim().ids == []
    assert broker.sizes() == {"default": 0}


def test_missing_tells_what_the_server_does_not_hold() -> None:
    base = server_ms() - 10_000
    held = [entry(base + n) for n in range(3)]
    broker.add(held)
    claim(limit=1)
    stranger = entry(base)

    assert set(broker.missing([*held, stranger])) == {held[0], stranger}


def test_scripts_survive_a_script_flush(redis_server: RedisServer) -> None:
    one, two = entry(server_ms() - 1000), entry(server_ms() + FAR)
    redis_server.client.script_flush()
    broker.add([one, two])
    redis_server.client.script_flush()
    assert claim().ids == [one.id]
    redis_server.client.script_flush()
    broker.remove([(two.id, "default")])

    assert broker.sizes() == {"default": 0}


@pytest.mark.parametrize("name", ["add", "claim", "remove"])
def test_a_script_has_a_header_and_at_most_60_lines(name: str) -> None:
    text = script(name).text

    assert len(text.splitlines()) <= 60
    assert all(f"-- {word}:" in text for word in ("KEYS", "ARGV", "Returns"))


def test_all_keys_share_one_hash_tag(redis_server: RedisServer) -> None:
    broker.add([entry(server_ms() - 1000, queue=name) for name in ("a", "b") for _ in range(3)])
    claim("a", "b", limit=1)
    broker.mark_filled(broker.begin_filling())

    assert all(str(key).startswith("{test}:") for key in redis_server.client.scan_iter())


def test_a_moment_long_past_or_far_ahead_is_kept_exactly() -> None:
    past, far = entry(-62_135_596_800_000), entry(253_402_300_799_999)
    broker.add([past, far])

    assert claim().ids == [past.id]
    assert claim().next_due_ms in (far.due_ms, far.due_ms + 1)


# --- waking ---


def wakes(*queues: str, every: bool = False) -> bool:
    return broker.wait_for_wake(queues or ("default",), every_queue=every, seconds=0.01)


def test_a_head_that_becomes_earlier_wakes_and_a_later_one_does_not() -> None:
    base = server_ms() + FAR
    broker.add([entry(base)])
    assert wakes()

    broker.add([entry(base + 1000)])
    assert not wakes()

    broker.add([entry(base - 1000)])
    assert wakes()
    assert not wakes()


def test_many_additions_leave_at_most_one_token(redis_server: RedisServer) -> None:
    base = server_ms() + FAR
    for step in range(20):
        broker.add([entry(base - step)])

    assert redis_server.client.llen("{test}:wake:default") == 1


def test_a_new_queue_wakes_who_serves_every_queue() -> None:
    broker.add([entry(server_ms() + FAR, queue="new")])
    assert wakes("old", every=True)

    broker.add([entry(server_ms() + FAR + 1, queue="new")])
    assert not wakes("old", every=True)


def test_a_worker_that_leaves_work_passes_the_token_on() -> None:
    broker.add([entry(server_ms() - 1000) for _ in range(5)])
    assert wakes()

    claim(limit=2)

    assert wakes()


# --- a server that is in trouble ---


def test_a_server_that_is_down_is_named_with_its_cause(redis_server: RedisServer) -> None:
    redis_server.kill()

    with pytest.raises(BrokerUnavailable) as caught:
        broker.add([entry(1)])

    assert caught.value.__cause__ is not None


def test_a_server_that_came_back_is_used_without_an_error(redis_server: RedisServer) -> None:
    broker.add([entry(server_ms() + FAR)])
    redis_server.kill()
    redis_server.start()

    broker.add([entry(server_ms() - 1000)])

    assert len(claim().ids) == 1


def test_a_flush_or_another_server_is_not_filled(redis_server: RedisServer) -> None:
    assert not broker.is_filled()
    broker.mark_filled(broker.begin_filling())
    assert broker.is_filled()

    redis_server.flush()
    assert not broker.is_filled()

    broker.mark_filled(broker.begin_filling())
    redis_server.kill()
    redis_server.start()
    assert not broker.is_filled()


# --- against a model ---

moves = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(-50, 50), st.integers(-100, 100)),
        st.tuples(st.just("claim"), st.integers(0, 6), st.just(0)),
        st.tuples(st.just("ahead"), st.integers(0, 4), st.integers(1, 4)),
        st.tuples(st.just("remove"), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("again"), st.integers(0, 20), st.integers(-50, 50)),
    ),
    max_size=40,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves=moves, seed=st.integers(0, 2**32))
def test_claim_does_what_a_small_model_does(
    moves: list[tuple[str, int, int]], seed: int, redis_server: RedisServer
) -> None:
    # Offsets are whole minutes around now, so that the clock of the server cannot blur them.
    redis_server.flush()
    base, rng = server_ms(), random.Random(seed)
    model = Model(base)
    for kind, one, two in moves:
        if kind == "add":
            model.add(entry(base + one * 60_000 - 1000, two))
        elif kind == "again" and model.known:
            known = rng.choice(list(model.known.values()))
            if known.id in model.waiting() and known.id not in model.ready:
                model.add(known._replace(due_ms=base + two * 60_000 - 1000))
        elif kind == "remove" and model.known:
            model.remove(rng.choice(sorted(model.known)))
        elif kind in ("claim", "ahead"):
            ahead = two if kind == "ahead" else 0
            found = claim(limit=one, ahead=ahead, reach_ms=10 * 60_000)
            due, soon, more = model.claim(one, ahead, 10 * 60_000)
            assert [model.rank(id_) for id_ in found.ids[: len(due)]] == due
            assert [model.due(id_) for id_ in found.ids[len(due) :]] == soon
            assert found.more == more
            model.forget(found.ids)
    left = {
        id_
        for name in ("due", "ready")
        for id_ in client().zrange(f"{{test}}:{name}:default", 0, -1)
    }
    assert left == model.waiting()


class Model:
    """Keep what a queue holds, as two plain sets; ids of one rank may be popped in any order."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.known: dict[str, Entry] = {}
        self.ready: set[str] = set()
        self.queued: set[str] = set()

    def add(self, one: Entry) -> None:
        broker.add([one])
        self.known[one.id] = one
        self.queued.add(one.id)

    def remove(self, id_: str) -> None:
        broker.remove([(id_, "default")])
        self.forget([id_])

    def claim(
        self, room: int, ahead: int, reach: int
    ) -> tuple[list[tuple[int, int]], list[int], bool]:
        overdue = {id_ for id_ in self.queued if self.known[id_].due_ms <= self.now_ms}
        backlog = bool(self.ready) or len(overdue) > room
        if not backlog:
            due = sorted(map(self.rank_by_due, overdue))
            ranks = [(rank, moment) for moment, rank in due]
        else:
            self.ready |= overdue
            self.queued -= overdue
            ranks = sorted(map(self.rank, self.ready))[:room]
        more = backlog and len(self.ready) > len(ranks)
        later = sorted(
            self.rank_by_due(id_)
            for id_ in self.queued - overdue
            if self.known[id_].due_ms <= self.now_ms + reach
        )
        soon = [] if more else [moment for moment, _ in later[:ahead]]
        return ranks, soon, more

    def forget(self, ids: Iterable[str]) -> None:
        self.queued -= set(ids)
        self.ready -= set(ids)

    def waiting(self) -> set[str]:
        return self.queued | self.ready

    def rank(self, id_: str) -> tuple[int, int]:
        return 100 - self.known[id_].priority, self.known[id_].due_ms

    def rank_by_due(self, id_: str) -> tuple[int, int]:
        return self.known[id_].due_ms, 100 - self.known[id_].priority

    def due(self, id_: str) -> int:
        return self.known[id_].due_ms

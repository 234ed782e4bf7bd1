"""What may happen to the real code in whatever order, and what must hold after each step."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from django_agenda import Agenda, Call, restore, schedule, strike
from django_agenda.broker import broker
from django_agenda.clock import now
from django_agenda.models import Attempt, Batch, Execution, Fleet, PausedQueue, Strike, Worker
from django_agenda.scheduling import struck
from django_agenda.tasks.payload import encode_result
from tests.sound import assert_sound

from .actor import HOUR, RUNS, Actor, Run, forget_runs, note_end, note_run

WHO = st.sampled_from("AB")
WHEN = st.sampled_from([-2 * HOUR, 24 * HOUR])
MANY = st.integers(1, 4)
FAILS = st.sampled_from([0, 0, 0, 1, 9])
PLACE = st.integers(0, 20)


class Seen(NamedTuple):
    """Hold what a row said at the last look."""

    status: str
    attempts: int
    finished_at: Any


class Machine(RuleBasedStateMachine):
    """Two workers, and everybody else: people, Redis, the clock."""

    server: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        for model in (Attempt, Execution, Batch, Worker, Fleet, PausedQueue, Strike):
            model.objects.all().delete()
        self.server.flushall()
        forget_runs()
        self.actors = {name: Actor(name) for name in "AB"}
        self.seen: dict[UUID, Seen] = {}
        self.may_reopen = False
        self.given_back: Counter[str] = Counter()

    # --- people ---

    @initialize(count=MANY)
    def begin(self, count: int) -> None:
        self.scatter(count, -2 * HOUR, 0)

    @rule(count=MANY, when=WHEN, fails=FAILS)
    def scatter(self, count: int, when: timedelta, fails: int) -> None:
        calls = [Call(note_run, (fails if n == 0 else 0,)) for n in range(count)]
        Agenda(calls).scatter(start=now() + when, over=HOUR, on_complete=note_end)

    @rule(key=st.sampled_from([None, "k"]), when=WHEN, replace=st.booleans())
    def schedule_one(self, key: str | None, when: timedelta, replace: bool) -> None:
        schedule(note_run, at=now() + when, key=key, replace=replace and key is not None)()

    @rule(place=PLACE)
    def cancel_one(self, place: int) -> None:
        self._some(place).cancel()

    @rule(place=PLACE)
    def pause_or_resume_one(self, place: int) -> None:
        one = self._some(place)
        if not one.resume():
            one.pause()

    @rule(place=PLACE)
    def pause_or_resume_a_batch(self, place: int) -> None:
        batches = list(Batch.objects.order_by("pk"))
        batch = batches[place % len(batches)]
        if batch.paused_at is None:
            batch.pause()
        else:
            batch.resume()

    @rule(place=PLACE)
    def retry_one(self, place: int) -> None:
        self.may_reopen = True
        self._some(place).retry()

    @rule()
    def reschedule_what_is_to_come(self) -> None:
        Execution.objects.filter(due_at__gt=now()).reschedule(by=-48 * HOUR)

    @rule(fails=FAILS, over=st.sampled_from([None, HOUR]), more=st.booleans())
    def strike_or_restore(self, fails: int, over: timedelta | None, more: bool) -> None:
        found = Strike.objects.first()
        if found is None or (more and Strike.objects.count() == 1):
            strike(note_run, "fails", "==" if fails else ">=", fails)
        else:
            restore(note_run, found.parameter, found.operator, found.value, over=over)

    def _some(self, place: int) -> Any:
        ids = list(Execution.objects.order_by("pk").values_list("pk", flat=True))
        return Execution.objects.filter(pk=ids[place % len(ids)])

    # --- workers ---

    @rule(who=WHO)
    def claim(self, who: str) -> None:
        self.actors[who].claim()

    @rule(who=WHO)
    def run_one(self, who: str) -> None:
        self.actors[who].run_one()

    @rule(who=WHO)
    def store(self, who: str) -> None:
        self.actors[who].store()

    @rule(who=WHO)
    def work(self, who: str) -> None:
        """Claim, run and store: what happens most of the time."""
        self._work(self.actors[who])

    @rule(who=WHO)
    def beat(self, who: str) -> None:
        self.actors[who].beat()

    @rule(who=WHO)
    def take_care(self, who: str) -> None:
        self.actors[who].take_care()

    # --- faults ---

    @rule(who=WHO)
    def store_again(self, who: str) -> None:
        self.actors[who].store_again()

    @rule(who=WHO)
    def claim_unheard(self, who: str) -> None:
        self.actors[who].claim_unheard()

    @rule(who=WHO)
    def store_unheard(self, who: str) -> None:
        self.actors[who].store_unheard()

    @rule(who=WHO)
    def fall_silent(self, who: str) -> None:
        self.actors[who].fall_silent()

    @rule(who=WHO)
    def die(self, who: str) -> None:
        self.actors[who].die()

    @rule(who=WHO)
    def end_too_late(self, who: str) -> None:
        """A shutdown gives back what runs, another worker claims it, then the first body ends."""
        actor, other = self.actors[who], self.actors["B" if who == "A" else "A"]
        actor.claim()
        actor.run_one()
        self.given_back.update(actor.let_go())
        other.claim()
        actor.store()
        actor.die()

    @rule(who=WHO)
    def return_as_a_zombie(self, who: str) -> None:
        """Claim and run, be declared lost, see another one claim it, then go on as before."""
        zombie, other = self.actors[who], self.actors["B" if who == "A" else "A"]
        zombie.claim()
        zombie.run_one()
        zombie.fall_silent()
        other.take_care()
        other.claim()
        zombie.run_one()
        zombie.store()

    @rule()
    def forget_everything(self) -> None:
        self.server.flushall()

    @rule()
    def lose_what_is_popped(self) -> None:
        broker.claim(["default"], limit=2, ahead=0, reach_ms=0)

    # --- what must hold ---

    @invariant()
    def everything_holds(self) -> None:
        assert_sound()
        may_reopen, self.may_reopen = self.may_reopen, False
        strikes = struck.read("default")
        for row in Execution.objects.all():
            before = self.seen.get(row.pk)
            if before is not None:
                self._check_step(row, before, may_reopen=may_reopen)
                if row.attempts > before.attempts:
                    kwargs, args = encode_result(row.kwargs), encode_result(row.args)
                    assert not strikes.holds(row.task_name, args, kwargs), f"{row} is struck"
            if row.status == "succeeded" and row.callback_of_id is None:
                run = RUNS[row.return_value]
                assert run == Run(row.pk.hex, row.attempts, row.worker), f"{run} is not {row}"
            self.seen[row.pk] = Seen(row.status, row.attempts, row.finished_at)
        assert len(self.seen) == Execution.objects.count()
        twice = {key: n for key, n in Counter(one[:2] for one in RUNS).items() if n > 1}
        for (id_, _), n in twice.items():
            assert n <= 1 + self.given_back[id_], f"An attempt ran {n} times: {twice}"

    def _check_step(self, row: Execution, before: Seen, *, may_reopen: bool) -> None:
        was_ended = before.finished_at is not None
        if was_ended and not may_reopen:
            after = (row.status, row.finished_at, row.attempts)
            assert after == (before.status, before.finished_at, before.attempts), row
        if row.status == before.status == "running":
            assert row.attempts >= before.attempts - self.given_back[row.pk.hex], row

    def teardown(self) -> None:
        """Let everybody finish: nothing may be lost; then the two return, and change nothing."""
        last = Actor("last")
        try:
            self._finish(last)
        finally:
            for actor in (*self.actors.values(), last):
                actor.close()

    def _finish(self, last: Actor) -> None:
        for batch in Batch.objects.exclude(paused_at=None):
            batch.resume()
        Execution.objects.filter(held_by="paused").resume()
        for one in Strike.objects.all():
            restore(note_run, one.parameter, one.operator, one.value)
        Execution.objects.filter(due_at__gt=now()).reschedule(by=-48 * HOUR)
        Worker.objects.exclude(name="last").update(beat_at=now() - HOUR)
        for turn in range(60):
            if turn % 20 == 0:
                # Time passes: the overdue scan leaves alone what became due this very second.
                waiting = Execution.objects.filter(status__in=Execution.WAITING)
                waiting.update(due_at=now() - 2 * HOUR)
            last.take_care()
            self._work(last)
            if not Execution.objects.live().exists():
                break
        self.everything_holds()
        left = list(Execution.objects.live().values_list("status", "held_by", "due_at"))
        assert not left, f"These never end: {left}"
        for batch in Batch.objects.exclude(total=0):
            assert batch.is_finished
            # It may have been cancelled like any other.
            [callback] = batch.callbacks.all()
            assert callback.status in ("succeeded", "cancelled")
        for actor in self.actors.values():
            actor.run_one()
            actor.store()
            actor.store_again()
        self.everything_holds()

    def _work(self, actor: Actor) -> None:
        actor.beat()
        actor.claim()
        for _ in range(4):
            actor.run_one()
        actor.store()

"""Let go of what a strike holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import router
from django.db.models import F, Min, QuerySet
from django.db.models.functions import Least

from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.strike import Strike
from django_agenda.models.transactions import in_transaction

from .change import Changed, Ids, carry_out, collect
from .hold import hold
from .moments import check_over, spread_over
from .move import check_reach, move
from .resume import let_go
from .strike import EQUAL, read_rule
from .struck import read


def restore(
    task: Any = None,
    parameter: str | None = None,
    operator: str = EQUAL,
    value: Any = None,
    *,
    over: timedelta | None = None,
) -> int:
    """Take back the strike that was made with the same arguments; return how many it lets go.

    What is overdue by now runs at once, or is spread evenly over `over` from now; the rest keeps
    its moment. What has expired meanwhile is missed, unless it was spread. What another strike
    matches is held by that one from here on, what belongs to a paused batch by the batch; neither
    is counted. A strike that there is not lets nothing go: 0. Raises ValueError as strike() does,
    but knows tasks that are gone by now.
    """
    if over is not None:
        check_over(over)
    rule = read_rule(task, parameter, operator, value)
    using = router.db_for_write(Strike)
    same = Strike.objects.using(using).filter(fingerprint=rule.fingerprint)
    found = same.defer(*Strike.PAYLOAD).first()
    return 0 if found is None else lift(found, over)


def lift(strike: Strike, over: timedelta | None = None) -> int:
    """Take back this strike; see restore().

    Moments are changed first, while nothing is let go, then the strike is deleted, then its rows
    follow, chunk by chunk: when a process dies half-way a caretaker goes on.
    """
    using = strike._state.db or router.db_for_write(Strike)
    held = held_rows(using, strike.held_by)
    if over is not None:
        _spread(using, held, strike, check_over(over))
    same = Strike.objects.using(using).filter(pk=strike.pk)
    in_transaction(using, same.delete)
    return _release(using, strike.held_by)


def held_rows(using: str, reason: str) -> QuerySet[Execution]:
    """Return what waits and is held for this reason."""
    held = Execution.objects.using(using).exclude(held_by="")  # which SQLite's index is about
    return held.filter(status__in=Execution.WAITING, held_by=reason)


def release_orphans(using: str) -> int:
    """Let go of what strikes hold that are gone; return how many.

    A restore may have died, and what was written at the moment of a restore may not have seen it.
    """
    strikes = {one.held_by for one in Strike.objects.using(using).only("pk")}
    return sum(_release(using, one) for one in _reasons(using) if one not in strikes)


def _reasons(using: str) -> list[str]:
    """Return by which strikes rows are held, one step in the index for each."""
    found: list[str] = []
    held = Execution.objects.using(using).exclude(held_by="").order_by()
    reason = held.aggregate(first=Min("held_by"))["first"]
    while reason is not None:
        found.append(reason)
        reason = held.filter(held_by__gt=reason).aggregate(first=Min("held_by"))["first"]
    return [one for one in found if one.startswith(Strike.HELD_BY)]


def _spread(using: str, held: QuerySet[Execution], strike: Strike, over: timedelta) -> None:
    """Give those that are overdue, and that nothing else will hold, their new moments."""
    moment = now()
    overdue = held.filter(due_at__lte=moment)
    check_reach(overdue, moment, over)
    others = read(using).without(strike.held_by)
    free = bytearray()
    for page in collect(overdue, "due_at", "pk").pages():
        matched = {id_ for id_, _ in others.among(using, page)}
        free += bytes.fromhex("".join(id_ for id_ in page if id_ not in matched))
    ids = Ids(bytes(free))
    move(using, ids, spread_over(len(ids), moment, over))


def _release(using: str, reason: str) -> int:
    told: Counter[int] = Counter()
    ids = collect(held_rows(using, reason))
    count = carry_out(using, ids.pages(), partial(_release_page, using, reason, told))
    in_transaction(using, partial(_count_as_told, using, told))
    return count


def _release_page(using: str, reason: str, told: Counter[int], ids: list[str]) -> Changed:
    """Let go of a page, but for what a strike matches that there is by now."""
    matched: defaultdict[str, list[str]] = defaultdict(list)
    for id_, other in read(using).among(using, ids):
        matched[other].append(id_)
    for other, some in sorted(matched.items()):
        hold(using, some, other, f"e.held_by = '{reason}'")
    changed = let_go(using, ids, reason)
    told.update(batch_id for batch_id in changed.waiting.values() if batch_id is not None)
    return changed


def _count_as_told(using: str, told: Counter[int]) -> None:
    """Count what the broker hears of for the first time; what it had before is not told apart."""
    most = F("total") - F("skipped") - F("pending")
    for batch_id, count in sorted(told.items()):
        short = Batch.objects.using(using).filter(pk=batch_id, enqueued__lt=most)
        short.update(enqueued=Least(F("enqueued") + count, most), version=F("version") + 1)

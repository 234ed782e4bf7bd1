"""Measure what policies cost, and how fast a line moves.

    python -m benchmarks.policies [--database sqlite|postgres] [--count 2000]

Every task does nothing, all are due, and one worker process runs them. `none` is what the others
are held against; `of many` are limits of which each has slots enough; `one line` is one limit of
eight slots that everybody waits for; `a rate` lets a thousand start in a second. Each run fails if
more have run at once, or started in any second, than the policy lets.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from benchmarks.engine import prepare, running_worker, servers, show, wait_for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    with servers(options.database):
        from benchmarks import tasks

        cases: dict[str, tuple[Any, Callable[[int], int]]] = {
            "none": (tasks.nothing, int),
            "of many": (tasks.of_many, lambda number: number % 1000),
            "one line": (tasks.in_one_line, int),
            "a rate": (tasks.at_a_rate, int),
        }
        for name, (task, argument) in cases.items():
            rates = []
            for _ in range(options.runs):
                prepare()
                rates.append(measure(task, argument, options.count))
            show(name, rates, "tasks/s")


def measure(task: Any, argument: Callable[[int], int], count: int) -> float:
    """Return how many a second were over."""
    from django.db.models import Max, Min

    from django_agenda import Agenda, Call
    from django_agenda.models import Execution, Gate

    Gate.objects.all().delete()
    calls = (Call(task, (argument(number),)) for number in range(count))
    batch = Agenda(calls, count=count).scatter(over=timedelta(milliseconds=1))
    with running_worker():
        wait_for(batch, 300)
    assert batch.succeeded == count, batch.describe()
    hold_against(task.policies, Execution.objects.values_list("args", "started_at", "finished_at"))
    found = Execution.objects.aggregate(first=Min("started_at"), last=Max("finished_at"))
    return count / float((found["last"] - found["first"]).total_seconds())


def hold_against(policies: Any, rows: Iterable[tuple[Any, datetime, datetime]]) -> None:
    """Fail if the policies of a task did not hold, by what was written down of its executions."""
    if policies is None:
        return
    runs: defaultdict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for args, *run in rows:
        runs[str(args) if any(one and one.by for one in policies) else ""].append((run[0], run[1]))
    for some in runs.values():
        if policies.concurrency:
            assert most_at_once(some) <= policies.concurrency.n
        if policies.rate:
            second = timedelta(seconds=policies.rate.per)
            assert most_at_once((begin, begin + second) for begin, _ in some) <= policies.rate.n


def most_at_once(runs: Iterable[tuple[datetime, datetime]]) -> int:
    """Return how many of these overlap, at most; one that begins as another ends does not."""
    steps = [step for begin, end in runs for step in ((begin, 1), (end, -1))]
    now = most = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


if __name__ == "__main__":
    main()

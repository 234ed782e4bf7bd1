"""Measure the admin's pages at size.

    python -m benchmarks.admin_pages [--database postgres|sqlite] [--rows 1000000] [--rounds 5]

On a private server: batches of 10 to a million executions, running, finished and pruned, the lists
with every filter, search and the last page, and the overview; then the same with a million batches.
Prints the time that the first request took, the best of the others, and what one took of the
processors (ours and the database's, which uses one process for each statement): on a busy machine
only that says how fast a page is; then the same for a request that follows at once and finds what
is remembered; the number of statements, and the bytes. Ends with 1 when the time of the processors
misses its target; --explain prints the plans of the slowest statements of such pages.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.engine import servers

# In ms: the first whose words begin a page's name.
TARGETS = {
    "batch page, 100,000": 400.0,
    "finished batch": 200.0,
    "pruned batch": 200.0,
    "executions": 300.0,
    "batches": 300.0,
    "workers": 300.0,
    # Of two million executions, of which 190 000 stand with an error.
    "overview": 400.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Hold what one page took: milliseconds."""

    first: float
    best: float
    processors: float
    again: float
    statements: int
    body: bytes


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="postgres")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--explain", action="store_true")
    options = parser.parse_args()
    os.environ["AGENDA_BENCH_ADMIN"] = "1"
    missed = []
    with servers(options.database):
        from django.contrib.auth.models import User
        from django.test import Client

        client = Client()
        client.force_login(User.objects.create_superuser("bench"))
        print(
            f"{'page':<46}{'first':>9}{'best':>9}{'cpu':>9}{'again':>9}{'queries':>9}{'bytes':>10}{'gzip':>8}"
        )
        for name, address in pages(options.rows):
            found = measure(client, address, options.rounds)
            show(name, found)
            target = next((ms for words, ms in TARGETS.items() if name.startswith(words)), None)
            if target is not None and found.processors > target:
                missed.append(f"{name}: {found.processors:.0f} ms, not {target:.0f}")
                if options.explain:
                    explain(client, address)
    print(*missed, sep="\n")
    return int(bool(missed))


def pages(rows: int) -> Iterator[tuple[str, str]]:
    """Fill the tables step by step, and name the pages to be measured at each step."""
    from benchmarks.admin_rows import old_batches, pruned, settle, swollen
    from tests.factories import Scene, WorkerFactory

    over = Scene(elapsed=1.3, refused=0.0)
    sizes = [size for size in (10, 1000, 100_000) if size < rows]
    running = [swollen(size, scene=Scene()) for size in (*sizes, rows)]
    finished = swollen(rows, scene=over, name="Finished")
    few = finished.executions.filter(position__in=(5, 500, 5000))
    few.update(task_name="shop.tasks.hardly_ever", worker="rare-1")
    gone = swollen(rows, scene=over, name="Pruned")
    pruned(gone)
    WorkerFactory.create_batch(200)
    settle()
    for batch in running:
        yield f"batch page, {batch.total:,}", page_of(batch)
    for batch in running[-2:]:
        begin = 43_200_000
        part = urlencode({"from": begin, "to": begin + 864_000})
        yield f"batch page, {batch.total:,}, a hundredth", f"{page_of(batch)}?{part}"
        yield f"batch page, {batch.total:,}, failures", f"{page_of(batch)}?status=failed"
    yield f"just finished {rows:,}", page_of(finished)
    digest(finished)
    yield f"finished batch, {rows:,}", page_of(finished)
    yield f"pruned batch, {rows:,}", page_of(gone)
    yield from execution_lists(finished)
    yield f"overview, {rows * 2:,} executions", list_of("overview")
    yield f"error groups, {rows * 2:,} executions", list_of("errorgroup")
    yield from lists("batch", "few batches", {"": ""})
    yield "workers", list_of("worker")
    old_batches(rows)
    settle()
    yield from lists("batch", "batches", batch_cases())
    yield f"overview, {rows:,} batches as well", list_of("overview")


def digest(batch: Any) -> None:
    """Do what the caretaker does when a batch has ended, and tell what that costs."""
    from django_agenda.models import Digest
    from django_agenda.scheduling.digest import write_digests

    longest, began, worked = 0.0, time.perf_counter(), processor_s()
    steps = write_digests("default")
    while True:
        step = time.perf_counter()
        if next(steps, steps) is steps:
            break
        longest = max(longest, time.perf_counter() - step)
    took = (time.perf_counter() - began, processor_s() - worked, longest)
    size = len(Digest.objects.get(batch=batch).text)
    words = "its digest took {:.1f} s, of the processors {:.1f} s, its longest step {:.2f} s"
    print(f"{words.format(*took)}; {size:,} bytes", flush=True)


def execution_lists(finished: Any) -> Iterator[tuple[str, str]]:
    from django_agenda.models import Execution

    failed = finished.executions.filter(status="failed").earliest("position")
    mark, of_batch = failed.error_fingerprint, f"batch__id__exact={finished.pk}"
    cases = {
        "": "",
        "last page": "p=200",
        "of a batch": of_batch,
        "of a batch, last page": f"{of_batch}&p=200",
        **{status: f"status__exact={status}" for status in Execution.Status.values},
        **{f"waiting {value}": f"due={value}" for value in ("now", "hour", "later", "held")},
        **{f"stage {value}": f"failed_stage__exact={value}" for value in ("run", "lost")},
        **{f"late {value}": f"late={value}" for value in ("1000", "600000")},
        "of a task, last page": "task=shop.tasks.send_reminder&p=200",
        "of an unknown task": "task=nowhere",
        "of a rare task": "task=shop.tasks.hardly_ever",
        "failed, late, of a batch": f"status__exact=failed&late=600000&{of_batch}",
        "of an error": f"error_fingerprint={mark}",
        "of an error in a batch": f"error_fingerprint={mark}&{of_batch}",
        "of no error": "error_fingerprint=0123456789abcdef",
        "search by key": f"q={failed.key or failed.pk}",
        "search by id": f"q={failed.pk}",
        "search by fingerprint": f"q={mark}",
        "search by worker": "q=worker:mail-1",
        "search by task": "q=task:shop.tasks.send_reminder",
        "search by words of an error": "q=error:no+address+for+customer",
        "search by words of no error": "q=error:nothing-says-this",
        "search for a worker that is not": "q=worker:nobody",
        "search by rare worker": "q=worker:rare-1",
        "search for nothing": "q=nothing-has-this",
        "search in failed": "status__exact=failed&q=nothing-has-this",
    }
    return lists("execution", "executions", cases)


def batch_cases() -> dict[str, str]:
    from django_agenda.models import Batch

    return {
        "": "",
        "last page": "p=200",
        **{status: f"status__exact={status}" for status in Batch.Status.values},
        **{f"trouble {v}": f"trouble={v}" for v in ("failures", "missed", "pending", "none")},
        **{f"window {v}": f"window={v}" for v in ("now", "next", "last", "overdue")},
        "search by key": "q=wave-105-77",
        "search by part of a name": "q=letter",
        "search for nothing": "q=nothing-has-this",
        "search by number": "q=4711",
    }


def lists(model: str, what: str, cases: dict[str, str]) -> Iterator[tuple[str, str]]:
    for words, query in cases.items():
        yield f"{what}, {words}" if words else what, f"{list_of(model)}?{query}"


def page_of(batch: Any) -> str:
    from django.urls import reverse

    return reverse("admin:django_agenda_batch_change", args=[batch.pk])


def list_of(model: str) -> str:
    from django.urls import reverse

    return reverse(f"admin:django_agenda_{model}_changelist")


def measure(client: Any, address: str, rounds: int) -> Measured:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from django_agenda.admin.memory import memory

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET max_parallel_workers_per_gather = 0")
    times, processors = [], []
    for _ in range(rounds + 1):
        memory.forget()
        with CaptureQueriesContext(connection) as captured:
            begin, worked = time.perf_counter(), processor_s()
            response = client.get(address)
            times.append((time.perf_counter() - begin) * 1000)
            processors.append((processor_s() - worked) * 1000)
        statements = len(captured)
        assert response.status_code == 200, (address, response)
    worked = processor_s()
    client.get(address)
    again = (processor_s() - worked) * 1000
    return Measured(
        first=times[0],
        best=min(times[1:]),
        processors=min(processors[1:]),
        again=again,
        statements=statements,
        body=response.content,
    )


def processor_s() -> float:
    """Return how long the processors have worked for this process and its database connection."""
    from django.db import connection

    worked = time.process_time()
    if connection.vendor == "postgresql":
        ticks = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().split()
        worked += (int(ticks[13]) + int(ticks[14])) / os.sysconf("SC_CLK_TCK")
    return worked


def show(name: str, found: Measured) -> None:
    numbers = (found.first, found.best, found.processors, found.again)
    words = "".join(f"{number:>6.0f} ms" for number in numbers)
    size, packed = len(found.body), len(gzip.compress(found.body))
    print(f"{name:<46}{words}{found.statements:>9}{size:>10,}{packed:>8,}", flush=True)


def ready(folder: str) -> Any:
    """Make an empty database, and return a client that an administrator has logged in with."""
    import django
    from django.conf import settings

    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        settings.DATABASES["default"]["NAME"] = f"{folder}/bench.sqlite3"
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    return client


def explain(client: Any, address: str) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    for one in sorted(captured.captured_queries, key=lambda one: -float(one["time"]))[:2]:
        print(f"  {one['time']} s: {one['sql'][:1500]}")
        with connection.cursor() as cursor:
            words = "ANALYZE" if connection.vendor == "postgresql" else "QUERY PLAN"
            cursor.execute(f"EXPLAIN {words} {one['sql']}")
            print(*(f"    {row[-1]}" for row in cursor.fetchall()), sep="\n")


if __name__ == "__main__":
    sys.exit(main())

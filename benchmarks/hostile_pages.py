"""Find the slowest answers to hostile query strings: python -m benchmarks.hostile_pages

Makes one large batch in a throw-away SQLite database (or the one of AGENDA_TEST_DB), asks every
list and page of the admin with each query string of the tests, and prints the ten slowest.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=20_000)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    sys.path.insert(0, str(Path(__file__).parents[1]))
    with tempfile.TemporaryDirectory() as folder:
        return measure(folder, options.size)


def measure(folder: str, size: int) -> int:
    from benchmarks.admin_pages import ready

    client = ready(folder)
    client.raise_request_exception = False
    from tests.integration.admin.hostile import QUERIES

    found = []
    for address in addresses(size):
        for query in ("", *QUERIES):
            begin = time.perf_counter()
            status = client.get(f"{address}?{query}").status_code
            found.append(((time.perf_counter() - begin) * 1000, status, address, query[:60]))
    found.sort(reverse=True)
    print(f"{len(found)} answers over {size:,} executions; the slowest:")
    for milliseconds, status, address, query in found[:10]:
        print(f"{milliseconds:>8.0f} ms  {status}  {address}?{query}")
    return int(any(status >= 500 for _ms, status, *_rest in found))


def addresses(size: int) -> list[str]:
    from django.urls import reverse

    from tests.factories import Scene, flood

    batch = flood(size, scene=Scene(failing=0.1))
    execution = batch.executions.filter(status="failed").earliest("position")
    lists = ("overview", "errorgroup", "batch", "execution", "schedule", "worker")
    found = [reverse(f"admin:django_agenda_{name}_changelist") for name in lists]
    found += [reverse(f"admin:django_agenda_{name}_new", args=[0]) for name in lists[2:4]]
    found += [reverse("admin:django_agenda_batch_change", args=[batch.pk])]
    found += [reverse("admin:django_agenda_batch_live", args=[batch.pk])]
    found += [reverse("admin:django_agenda_batch_do", args=[batch.pk, "retry"])]
    return [*found, reverse("admin:django_agenda_execution_change", args=[execution.pk])]


if __name__ == "__main__":
    sys.exit(main())

"""Measure the admin's pages: python -m benchmarks.admin_pages [--sizes 1000,100000] [--rounds 7]

Makes batches of these sizes in a throw-away SQLite database (or the one of AGENDA_TEST_DB), asks
for each page as an administrator would, and prints the median and the best time, the number of
statements and the bytes. No server and no Redis are needed.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

TARGETS_MS = {"batch page": 400.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10,1000,100000")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    sys.path.insert(0, str(Path(__file__).parents[1]))
    with tempfile.TemporaryDirectory() as folder:
        return measure(folder, [int(size) for size in options.sizes.split(",")], options.rounds)


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


def measure(folder: str, sizes: list[int], rounds: int) -> int:
    client = ready(folder)
    print(f"{'page':<34}{'median':>10}{'best':>10}{'queries':>9}{'bytes':>10}{'gzip':>9}")
    too_slow = False
    for name, address in pages(sizes):
        median = show(client, name, address, rounds)
        target = next((ms for words, ms in TARGETS_MS.items() if name.startswith(words)), None)
        too_slow |= target is not None and median > target
    return int(too_slow)


def pages(sizes: list[int]) -> list[tuple[str, str]]:
    from django.urls import reverse

    from tests.factories import Scene, flood

    found = []
    for size in sizes:
        batch = flood(size, over=timedelta(hours=24), scene=Scene())
        address = reverse("admin:django_agenda_batch_change", args=[batch.pk])
        found.append((f"batch page, {size:,} executions", address))
        if size >= 10_000:
            found.append(("  zoomed to a hundredth", f"{address}?from=43200000&to=44064000"))
            found.append(("  only failures", f"{address}?status=failed"))
    lists = [
        (f"list, {model}", reverse(f"admin:django_agenda_{model}_changelist"))
        for model in ("batch", "execution")
    ]
    overview = ("overview, all of these", reverse("admin:django_agenda_overview_changelist"))
    errors = ("error groups, all of these", reverse("admin:django_agenda_errorgroup_changelist"))
    return [*found, overview, errors, *lists]


def show(client: Any, name: str, address: str, rounds: int) -> float:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        response = client.get(address)
    statements = len(captured)
    assert response.status_code == 200, response
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        client.get(address)
        times.append((time.perf_counter() - begin) * 1000)
    median = statistics.median(times)
    body = response.content
    print(
        f"{name:<34}{median:>7.0f} ms{min(times):>7.0f} ms{statements:>9}"
        f"{len(body):>10,}{len(gzip.compress(body)):>9,}"
    )
    return median


if __name__ == "__main__":
    sys.exit(main())

"""The patterns of the documentation run to their ends, in the shop, with a worker of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from django_agenda.embedded import EmbeddedRedis
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "example_project"
PLAY = Path(__file__).with_name("patterns_play.py")
CUSTOMERS = 30
FILL = f"""
from decimal import Decimal
from shop.models import Customer, Order
for n in range({CUSTOMERS}):
    customer = Customer.objects.create(name=f"C{{n}}", email=f"c{{n}}@example.com", city="Lyon")
    Order.objects.bulk_create([Order(customer=customer, total=Decimal("2.50"))])
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


class Shop:
    """Hold the shop's programs: its mail provider, and a worker."""

    def __init__(self, folder: Path, redis: str) -> None:
        self._folder = folder
        self.environment = os.environ | {
            "DEMO_DIR": str(folder),
            "REDIS_URL": redis,
            "PROVIDER_LIMIT": "20",
            "PROVIDER_BURST": "40",
            "PYTHONPATH": os.pathsep.join((str(EXAMPLE), str(ROOT))),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        self.environment.pop("PYTEST_VERSION", None)
        self._started: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=EXAMPLE,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + self.said("worker")
        return done.stdout

    def start(self, name: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=EXAMPLE,
                env=self.environment | {"PYTHONUNBUFFERED": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)

    def said(self, name: str) -> str:
        path = self._folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        for process in self._started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with EmbeddedRedis() as redis:
        shop = Shop(tmp_path_factory.mktemp("shop"), redis.url)
        try:
            shop.run("manage.py", "migrate", "-v0")
            shop.run("manage.py", "shell", "-v0", "-c", FILL)
            shop.start("mailserver", "mailserver", "--port", "0")
            wait_until(lambda: "Listening" in shop.said("mailserver"), 60)
            [port] = re.findall(r"127\.0\.0\.1:(\d+)", shop.said("mailserver"))
            shop.environment["MAIL_PORT"] = port
            shop.start("worker", "run_agenda_worker", "--worker-id", "patterns")
            wait_until(lambda: "worker_started" in shop.said("worker"), 60)
            yield shop
        finally:
            shop.close()


@pytest.mark.parametrize(
    ("name", "came"),
    [
        ("find_and_flood", [CUSTOMERS, CUSTOMERS, CUSTOMERS, True]),
        ("chain", [True, 2, True]),
        ("fan_out", [2.5 * CUSTOMERS, True, CUSTOMERS, True]),
        ("flow", [True, "paid", "given up", True]),
        ("recurring", [True, True, 8, True]),
        ("back_fill", ["5 succeeded of 5", True, True]),
        ("limit", [True, True]),
    ],
)
def test_a_pattern_runs_to_its_end(name: str, came: Any, shop: Shop) -> None:
    said = json.loads(shop.run(str(PLAY), name))

    assert said == came


def test_every_pattern_is_on_the_page() -> None:
    page = (ROOT / "docs" / "howto" / "patterns.md").read_text("utf-8")
    code = (EXAMPLE / "shop" / "patterns.py").read_text("utf-8")

    marks = re.findall(r"^# ([a-z-]+)$", code, re.MULTILINE)
    shown = re.findall(r'^:start-after: "# ([a-z-]+)"$', page, re.MULTILINE)

    assert marks == [*shown, "end"]

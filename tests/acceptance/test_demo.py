from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MANAGE = Path(__file__).resolve().parents[2] / "example_project" / "manage.py"
# What is meant for this test process must not reach the demonstration, which has its own servers.
OURS = re.compile("DJANGO_SETTINGS_MODULE|DEMO_DIR|REDIS_URL|MAIL_PORT|PYTEST_|AGENDA_TEST_")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demonstration_shows_why_scattering_is_better_than_flooding() -> None:
    environment = {name: value for name, value in os.environ.items() if not OURS.match(name)}

    done = subprocess.run(
        [sys.executable, str(MANAGE), "agenda_demo", "--check", "--seconds", "8", "--mails", "80"],
        env=environment,
        cwd=MANAGE.parent,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr + done.stdout
    assert re.search(r"flooded +80 of 80", done.stdout)
    assert re.search(r"scattered +80 of 80 +77 +0 +3\n", done.stdout)

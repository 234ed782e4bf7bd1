"""The five minutes of the README, word by word: a new project, a worker, a site."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests import servers
from tests.tutorial.blocks import ROOT, blocks
from tests.waiting import wait_until

README = ROOT / "README.md"
SECTION = "Five minutes with your own project"
REDIS = "redis://127.0.0.1:6379/0"
# What stays different from the words of the README: time, and what only a person can type.
SHORTER = ("timedelta(seconds=30)", "timedelta(seconds=1)")
LOGIN = {"USERNAME": "ann", "EMAIL": "ann@example.com", "PASSWORD": "long and secret"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("redis_server")]


class Reader:
    """Do what the README says, in a folder, with a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
        }
        self.environment |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            **{f"DJANGO_SUPERUSER_{name}": value for name, value in LOGIN.items()},
        }

    def run(self, command: str) -> str:
        """Run it to its end; `cd` holds for what comes after it."""
        if command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
            return ""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert not done.stderr, f"{command}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, command: str) -> Iterator[subprocess.Popen[str]]:
        """Run it while the block lasts, then end it as Ctrl-C does."""
        process = subprocess.Popen(
            shlex.split(command),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
            process.send_signal(2)
            out, err = process.communicate(timeout=20)
            said = re.findall(r"(?<= )[A-Z]+ \w+", err)
            assert (process.returncode, out) == (0, ""), err
            words = ("worker_started", "worker_stopped", "process_ended")
            assert said == [f"INFO {word}" for word in words], err
        finally:
            process.kill()
            process.communicate()

    def write(self, file: str, text: str) -> None:
        """Append to the file, which may be new."""
        with (self.folder / file).open("a", encoding="utf-8") as opened:
            opened.write(f"\n\n{text}")


def test_the_five_minutes_of_the_readme_work(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    stays: list[str] = []
    answers: list[str] = []
    for block in blocks(README, section=SECTION):
        if block.language == "python":
            assert block.file, block.place
            reader.write(block.file, block.text.replace(REDIS, f"{servers.redis_url()}"))
            continue
        assert block.language == "sh", block.place
        for command in commands(block.text):
            if "runserver" in command or "run_agenda_worker" in command:
                stays.append(command)
            elif "shell -c" in command:
                site, worker = stays
                with reader.running(worker), serving(reader, site) as address:
                    answers.append(reader.run(command.replace(*SHORTER)))
                    answers.append(what_the_batch_says(reader))
                    assert "Log in" in get(f"{address}/admin/django_agenda/batch/")
            elif "createsuperuser" in command:
                reader.run(f"{command} --noinput")
            elif not command.startswith("pip install") and "find_server" not in command:
                reader.run(command)

    assert len(promised_answers()) == len(answers) == 2
    for answer, promised in zip(answers, promised_answers(), strict=True):
        assert promised in answer


def test_the_command_that_finds_a_server_finds_one() -> None:
    text = README.read_text(encoding="utf-8")
    found = re.search(r"\$\(python -c '(.*find_server.*)'\)", text)
    assert found

    done = subprocess.run(
        [sys.executable, "-c", found[1]], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert os.access(done.stdout.strip(), os.X_OK)


def commands(text: str) -> list[str]:
    """Cut a block into commands: a line each, unless it ends within quotes or with a backslash."""
    found: list[str] = []
    left = ""
    for line in text.splitlines():
        left += f"{line}\n"
        if line.endswith("\\") or left.count('"') % 2:
            continue
        found.append(left.strip())
        left = ""
    assert not left
    return found


def promised_answers() -> list[str]:
    text = README.read_text(encoding="utf-8")
    return re.findall(r"`(100 letters[^`]*|\d+ succeeded[^`]*)`", text)


def what_the_batch_says(reader: Reader) -> str:
    """Wait for its end, which a look into the file tells sooner than a new process."""
    database = f"file:{reader.folder}/db.sqlite3?mode=ro"

    def is_over() -> bool:
        with closing(sqlite3.connect(database, uri=True, timeout=20)) as connection:
            found = connection.execute("SELECT finished_at FROM django_agenda_batch")
            return bool(found.fetchone()[0])

    wait_until(is_over, 30)
    say = "from django_agenda.models import Batch; print(Batch.objects.get().describe())"
    return reader.run(f'python manage.py shell -c "{say}"')


@contextmanager
def serving(reader: Reader, command: str) -> Iterator[str]:
    """Run the site on a free port, and without the reloader, which would outlive the test."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [*shlex.split(command), "--noreload", f"127.0.0.1:{port}"],
        cwd=reader.folder,
        env=reader.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers_at(port), 20)
        yield address
    finally:
        process.kill()
        process.wait()


def answers_at(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=10) as answer:
        text: str = answer.read().decode()
    return text

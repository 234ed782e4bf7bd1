"""`agenda_scatter`: JSON lines into a batch, all of them or none."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from django_agenda.management.progress_bar import ProgressBar, bar
from django_agenda.models import Batch, Execution
from tests.tasks import add

from .conftest import Work

NAME = add.name


class Pipe(io.StringIO):
    def seekable(self) -> bool:
        return False


def written(folder: Path, *lines: Any) -> str:
    path = folder / "calls.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return str(path)


def run(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("agenda_scatter", *arguments, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def call(*args: int, **more: Any) -> dict[str, Any]:
    return {"task": NAME, "args": list(args), **more}


def test_a_file_becomes_a_batch_in_its_own_order(tmp_path: Path, work: Work) -> None:
    path = written(
        tmp_path, call(1, 2, key="k", labels=["x"]), "", {"task": NAME, "kwargs": {"a": 3, "b": 4}}
    )
    options = [
        "--over",
        "50m",
        "--start",
        "2020-01-31T09:00+01:00",
        "--name",
        "Sums",
        "--label",
        "nightly",
    ]

    said = run(path, *options, "--queue-name", "sums", "--key", "one")

    batch = Batch.objects.get()
    assert said == (
        f"Batch {batch.pk}: 2 executions from 2020-01-31 08:00:00.000+00:00"
        " to 2020-01-31 08:50:00.000+00:00.\n"
    )
    assert (batch.name, batch.over, batch.key) == ("Sums", timedelta(minutes=50), "one")
    first, second = batch.executions.all()
    assert (first.key, first.labels, first.queue_name) == ("k", ["nightly", "x"], "sums")
    assert second.due_at == datetime(2020, 1, 31, 8, 50, tzinfo=UTC)
    work()
    assert [row.return_value for row in batch.executions.all()] == [3, 7]


@pytest.mark.parametrize(
    ("over", "seconds"),
    [("50m", 3000), ("PT50M", 3000), ("00:50:00", 3000), ("3000", 3000), ("1.5s", 1.5)],
)
def test_the_window_is_read_in_every_usual_way(over: str, seconds: float, tmp_path: Path) -> None:
    run(written(tmp_path), "--over", over)

    assert Batch.objects.get().over == timedelta(seconds=seconds)


@pytest.mark.parametrize("over", ["50m", 3000, timedelta(minutes=50)])
def test_code_gives_what_the_command_line_says(over: Any, tmp_path: Path) -> None:
    path = written(tmp_path, call(1, 2), call(1, 2))

    run(path, over=over, start="2020-01-31T09:00Z", jitter="1s", label="nightly")

    batch = Batch.objects.get()
    assert (batch.over, batch.jitter) == (timedelta(minutes=50), timedelta(seconds=1))
    assert batch.start == datetime(2020, 1, 31, 9, tzinfo=UTC)
    assert batch.labels == ["nightly"]
    with pytest.raises(CommandError, match="--jitter: must be a number and one of"):
        run(path, over=over, jitter="long")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Line 3: "),
        ("[1]", "Line 3: a call is a JSON object: [1]"),
        ({"task": NAME, "arguments": []}, "a call has no 'arguments'"),
        ({"task": "shop.nothing"}, "Line 3: Task 'shop.nothing' is not registered"),
        ({"args": [1, 2]}, "'task' must be a dotted path, not None"),
        ({"task": NAME, "args": {}}, "'args' must be a list"),
        ({"task": NAME, "args": [1]}, "missing a required argument: 'b'"),
        (call(1, 2, key=""), "'key' must have 1 to 255 characters"),
        (call(1, 2, labels="x"), "'labels' must be a list"),
        (call(1, 2, at="2030-01-01T00:00:00Z"), "'at' is not for a scatter"),
        (f'{{"task": "{NAME}", "args": [NaN, 1]}}', "Line 3: "),
    ],
)
@pytest.mark.parametrize("count", [[], ["--count", "3"]], ids=["twice", "once"])
def test_a_bad_line_is_named_and_nothing_is_written(
    line: Any, words: str, count: list[str], tmp_path: Path
) -> None:
    path = written(tmp_path, call(1, 2), call(1, 2), line)

    with pytest.raises(CommandError) as raised:
        run(path, "--over", "1h", *count)

    assert words in str(raised.value)
    assert "Line 3" in str(raised.value)
    assert not Batch.objects.exists()
    assert not Execution.objects.exists()


@pytest.mark.parametrize("count", [[], ["--count", "2"]], ids=["copied", "streamed"])
def test_a_pipe_is_read_as_well(count: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(json.dumps({"args": [n, 1]}) + "\n" for n in range(2))
    monkeypatch.setattr(sys, "stdin", Pipe(text))

    run("--over", "1h", "--task", NAME, *count)

    assert Batch.objects.get().total == 2


@pytest.mark.parametrize("count", ["1", "3"])
def test_a_wrong_count_writes_nothing(count: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Pipe(json.dumps(call(1, 2)) + "\n" + json.dumps(call(3, 4))))

    with pytest.raises(CommandError, match="'count' says"):
        run("--over", "1h", "--count", count)

    assert not Batch.objects.exists()


def test_a_key_that_is_alive_adds_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, call(1, 2))
    run(path, "--over", "1h", "--key", "one")

    said = run(path, "--over", "1h", "--key", "one")

    assert "is alive; nothing was added" in said
    assert Execution.objects.count() == 1


def test_a_dry_run_shows_when_and_writes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, *[call(1, n) for n in range(100)])

    said = run(path, "--over", "99s", "--start", "2030-01-31T09:00Z", "--dry-run")

    lines = said.splitlines()
    assert lines[0].startswith("100 executions from 2030-01-31 09:00:00.000+00:00 to")
    assert lines[1:3] == ["  2030-01-31 09:00:00.000+00:00", "  2030-01-31 09:00:01.000+00:00"]
    assert lines[-2:] == ["  2030-01-31 09:01:39.000+00:00", "Nothing was written."]
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--over", "0"], "'over' parameter must be a positive duration"),
        (["--over", "soon"], "such as 50m"),
        (["--over", "1h", "--start", "2030-01-31T09:00"], "with its offset"),
        (["--over", "1h", "--jitter", "5"], "must be a number and one of"),
        (["--over", "1h", "--priority", "500"], "'priority' must be from -100 to 100"),
        (["--over", "1h", "--queue-name", "a b"], "'a b'"),
        (["--over", "1h", "--key", "k" * 256], "'key'"),
        (["--over", "1h", "--name", "n" * 256], "'name' must have at most 255 characters"),
        (["--over", "1h", "--label", ""], "label"),
        ([], "--over"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["scatter", "dry run"])
def test_what_is_wrong_with_an_option_is_said(
    arguments: list[str], words: str, more: list[str], tmp_path: Path
) -> None:
    with pytest.raises(CommandError) as raised:
        run(written(tmp_path, call(1, 2)), *arguments, *more)

    assert words in str(raised.value)
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    ("count", "words", "dry"),
    [
        ("-1", "needs a 'count' of its calls, not -1", "--count is -1, of 1 calls"),
        ("99999999999", "'count' must be less than 2**31", "--count is 99999999999, of 1 calls"),
    ],
)
def test_a_wrong_count_is_said(count: str, words: str, dry: str, tmp_path: Path) -> None:
    path = written(tmp_path, call(1, 2))
    for more, said in (([], words), (["--dry-run"], dry)):
        with pytest.raises(CommandError, match=re.escape(said)):
            run(path, "--over", "1h", "--count", count, *more)
    assert not Batch.objects.exists()


def test_a_dry_run_tells_that_a_batch_with_its_key_is_alive(tmp_path: Path) -> None:
    arguments = [written(tmp_path, call(1, 2)), "--over", "1h", "--key", "one"]
    run(*arguments)

    said = run(*arguments, "--dry-run")

    batch = Batch.objects.get()
    assert said == f"Batch {batch.pk} with the key 'one' is alive; nothing would be added.\n"


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    path.write_text(json.dumps(call(1, 2)), encoding="utf-8-sig")

    assert "1 execution from" in run(str(path), "--over", "1h", "--dry-run")


def test_a_file_that_is_missing_or_no_text_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.jsonl"):
        run(str(tmp_path / "nowhere.jsonl"), "--over", "1h")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\n")
    with pytest.raises(CommandError, match="bytes"):
        run(str(tmp_path / "bytes"), "--over", "1h")


def test_the_bar_fills_up_on_a_terminal_only() -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    elsewhere = io.StringIO()
    for stream in (terminal, elsewhere):
        progress = ProgressBar(stream)
        for done in range(0, 1001, 250):
            progress.show(done, 1000)

    assert terminal.getvalue().startswith("\r[")
    assert terminal.getvalue().endswith("\n")
    assert elsewhere.getvalue() == ""
    assert bar(250, 1000, 0.5) == "[#######                       ] 250 of 1,000  25%        500/s"

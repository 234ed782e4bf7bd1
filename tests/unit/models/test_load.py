"""How busy a worker was lately: what its heartbeats tell, and what is read from that."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from django_agenda.models.load import STEP, STEPS, Step, read_load, step_of
from django_agenda.worker.load_line import LoadLine

BEGIN = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


def beat(line: LoadLine, second: int, running: int, failed: int = 0) -> list[Step]:
    return line.note({"running": running, "failed": failed}, BEGIN + timedelta(seconds=second))


def test_the_beats_of_a_step_are_averaged() -> None:
    line = LoadLine()

    stored = [beat(line, second, running) for second, running in ((0, 8), (5, 4), (10, 0))]

    assert stored[-1] == [Step(step_of(BEGIN), 4.0, 0)]


def test_failures_count_in_the_step_in_which_they_were_noted() -> None:
    line = LoadLine()

    beat(line, 0, 1, failed=2)
    beat(line, 5, 1, failed=3)
    stored = beat(line, 15, 1, failed=7)

    assert [step.failed for step in stored] == [3, 4]


def test_a_quarter_of_an_hour_is_kept() -> None:
    line = LoadLine()

    *_before, stored = (beat(line, second, 1) for second in range(0, 2000, 15))

    assert len(stored) == STEPS
    assert stored[-1].number - stored[0].number == STEPS - 1


def test_what_is_stored_is_read_again_with_its_gaps() -> None:
    line = LoadLine()
    beat(line, 0, 2)
    stored = json.loads(json.dumps(beat(line, 45, 4, failed=1)))

    steps = read_load(stored, BEGIN + timedelta(seconds=50))

    assert len(steps) == STEPS
    assert [one and one.busy for one in steps[-4:]] == [2.0, None, None, 4.0]
    assert steps[-1] == Step(step_of(BEGIN) + 3, 4.0, 1)


def test_what_is_older_than_a_quarter_of_an_hour_is_not_shown() -> None:
    stored = beat(LoadLine(), 0, 2)

    assert read_load(stored, BEGIN + STEP * STEPS) == [None] * STEPS
    assert read_load([], BEGIN) == [None] * STEPS

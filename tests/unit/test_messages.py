"""What is wrong is said with the value in it, and with the way out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import django_agenda
from django_agenda import Agenda, UnknownTask, schedule
from django_agenda.checks import check_settings
from django_agenda.policies.timeout import read_duration
from django_agenda.tasks.call import check_key, labels_text
from django_agenda.tasks.registry import resolve
from django_agenda.timing.window import Window
from tests import tasks
from tests.integration.control import START


def note_of(error: BaseException) -> str:
    return "\n".join(error.__notes__)


@pytest.mark.parametrize(
    "name", ["broken_backoff", "task.broken_backoff", "tests.task.broken_backoff"]
)
def test_an_unknown_name_reminds_of_one_that_is_known(name: str) -> None:
    with pytest.raises(UnknownTask) as caught:
        resolve(name)

    assert note_of(caught.value) == "Did you mean 'tests.tasks.broken_backoff'?"


def test_the_result_of_a_task_is_no_name_and_that_is_said() -> None:
    with pytest.raises(UnknownTask) as caught:
        resolve("sent to customer 1")

    assert "second parentheses" in note_of(caught.value)


def test_a_name_like_no_other_is_told_where_tasks_are_found() -> None:
    with pytest.raises(UnknownTask) as caught:
        resolve("os.system")

    assert "installed app" in note_of(caught.value)


def test_what_is_no_task_is_told_where_arguments_belong() -> None:
    with pytest.raises(TypeError, match=r"not None; .* add\(task\)\(arguments\)"):
        Agenda().add(None)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (-3, "not -3"),
        (-0.5, "not -0.5"),
        (timedelta(seconds=-3), r"not timedelta\(seconds=-3\)"),
        (timedelta(0), r"not timedelta\(seconds=0\)"),
        (1e300, "1e\\+300 seconds"),
    ],
)
def test_a_duration_is_shown_as_it_was_given(value: Any, shown: str) -> None:
    with pytest.raises(ValueError, match=f"'after' .*{shown}$|'after' .*{shown}"):
        read_duration("after", value)


def test_a_number_of_seconds_for_over_is_told_how_to_write_it() -> None:
    with pytest.raises(TypeError, match=r"not 30: write timedelta\(seconds=30\)"):
        Window(start=START, over=30)  # type: ignore[arg-type]


def test_a_key_that_is_too_long_is_not_repeated() -> None:
    with pytest.raises(ValueError, match=r"^'key' must have 1 to 255 characters, not 1000$"):
        check_key("x" * 1000)


def test_a_label_that_is_too_long_is_cut() -> None:
    with pytest.raises(ValueError, match=r"has 1000$") as caught:
        labels_text(["x" * 1000])

    assert len(str(caught.value)) < 200


def test_all_that_is_wrong_in_the_settings_is_said_at_once(settings: Any) -> None:
    settings.DJANGO_AGENDA = {"PREFX": "a", "WORKER_TTL": -1, "REDIS": "foo"}

    found = check_settings(None)

    assert [one.id[-4:] for one in found if one.id] == ["E001", "E001", "E002"]
    assert "Did you mean 'PREFIX'?" in found[0].msg
    assert "WORKER_TTL" in found[1].msg
    assert "not -1" in found[1].msg
    assert "'foo'" in found[2].msg


def test_a_redis_of_the_wrong_kind_is_said_once(settings: Any) -> None:
    settings.DJANGO_AGENDA = {"REDIS": 5}

    assert [one.id for one in check_settings(None)] == ["django_agenda.E001"]


def test_a_schedule_without_arguments_warns_when_it_is_forgotten() -> None:
    begun = schedule(tasks.plain)

    with pytest.warns(RuntimeWarning, match=r"scheduled nothing.*schedule\(task\)\(arguments\)"):
        del begun


def test_the_front_door_shows_its_names() -> None:
    assert set(django_agenda.__all__) <= set(dir(django_agenda))

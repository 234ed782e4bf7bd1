"""Settings that may be None, and what the checks say of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_agenda.checks import check_settings
from django_agenda.conf import get_settings

OPTIONAL = (
    "HORIZON",
    "RETENTION",
    "RETENTION_FAILED",
    "RETENTION_BATCHES",
    "RETENTION_WORKERS",
)


def configure(settings: Any, **changes: Any) -> None:
    settings.DJANGO_AGENDA = {**settings.DJANGO_AGENDA, **changes}


@pytest.mark.parametrize("key", OPTIONAL)
def test_a_duration_may_be_none_where_that_means_for_ever(settings: Any, key: str) -> None:
    configure(settings, **{key: None})
    assert getattr(get_settings(), key) is None

    configure(settings, **{key: 60})
    assert getattr(get_settings(), key) == timedelta(minutes=1)


@pytest.mark.parametrize("value", [0, -1, "30d", True])
@pytest.mark.parametrize("key", OPTIONAL)
def test_a_retention_is_a_positive_duration(settings: Any, key: str, value: Any) -> None:
    configure(settings, **{key: value})

    with pytest.raises(ImproperlyConfigured, match=key):
        get_settings()


@pytest.mark.parametrize("value", [timedelta(days=365_251), timedelta.max, 10.0**13])
@pytest.mark.parametrize("key", [*OPTIONAL, "MISFIRE", "MISFIRE_AFTER", "UNKNOWN_TASK_TTL"])
def test_a_duration_of_more_than_a_thousand_years_is_refused(
    settings: Any, key: str, value: Any
) -> None:
    configure(settings, **{key: value})

    with pytest.raises(ImproperlyConfigured, match=f"{key}.* at most a thousand years"):
        get_settings()


def test_other_settings_cannot_be_none(settings: Any) -> None:
    configure(settings, HEARTBEAT=None)

    with pytest.raises(ImproperlyConfigured, match="HEARTBEAT"):
        get_settings()


def test_a_horizon_that_is_too_small_is_warned_of(settings: Any) -> None:
    configure(settings, HORIZON=1)
    assert [one.id for one in check_settings(None)] == ["django_agenda.W001"]

    configure(settings, HORIZON=3600)
    assert check_settings(None) == []


def test_a_switch_is_on_or_off(settings: Any) -> None:
    configure(settings, ADMIN_READ_ONLY=True)
    assert get_settings().ADMIN_READ_ONLY is True

    configure(settings, ADMIN_READ_ONLY=False)
    assert get_settings().ADMIN_READ_ONLY is False


@pytest.mark.parametrize("value", [1, "yes", None])
def test_a_switch_is_nothing_else(settings: Any, value: Any) -> None:
    configure(settings, ADMIN_READ_ONLY=value)

    with pytest.raises(ImproperlyConfigured, match="must be bool"):
        get_settings()


def test_more_bodies_than_a_process_can_have_are_refused(settings: Any) -> None:
    configure(settings, CONCURRENCY=10_001)

    with pytest.raises(ImproperlyConfigured, match=r"CONCURRENCY.* must be 1 to 10000, not 10001"):
        get_settings()

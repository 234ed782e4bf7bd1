from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_agenda.broker import keys
from django_agenda.broker.connection import address
from django_agenda.broker.entry import due_ms
from django_agenda.conf import get_settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("microseconds", "wanted"),
    [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (-1, 0), (-1000, -1)],
)
def test_a_moment_is_rounded_up_so_that_nothing_starts_early(
    microseconds: int, wanted: int
) -> None:
    assert due_ms(EPOCH + timedelta(microseconds=microseconds)) == wanted


def test_every_key_lies_under_one_hash_tag(settings: Any) -> None:
    settings.DJANGO_AGENDA = {"PREFIX": "shop"}

    names = {
        keys.due("a"),
        keys.ready("a"),
        keys.wake("a"),
        keys.wake_all(),
        keys.queues(),
        keys.filled(),
    }

    assert len(names) == 6
    assert all(name.startswith("{shop}:") for name in names)


@pytest.mark.parametrize(
    "url", ["redis://host:6379/0", "rediss://host/0", "unix:///run/redis.sock?db=1"]
)
def test_a_url_is_taken_as_it_is(url: str, settings: Any) -> None:
    settings.DJANGO_AGENDA = {"REDIS": url}

    assert address()[0] == url


def test_an_alias_gives_its_location_and_credentials(settings: Any) -> None:
    options = {
        "PASSWORD": "secret",
        "CONNECTION_POOL_KWARGS": {"ssl_ca_certs": "ca", "socket_timeout": 1},
    }
    backend = "django_redis.cache.RedisCache"
    settings.CACHES = {"jobs": {"BACKEND": backend, "LOCATION": "redis://h/1", "OPTIONS": options}}
    settings.DJANGO_AGENDA = {"REDIS": "jobs"}

    assert address() == ("redis://h/1", {"password": "secret", "ssl_ca_certs": "ca"})


@pytest.mark.parametrize("target", ["http://host", "nowhere", "amqp://user:secret@host"])
def test_a_wrong_target_is_named_without_its_password(target: str, settings: Any) -> None:
    settings.DJANGO_AGENDA = {"REDIS": target}

    with pytest.raises(ImproperlyConfigured) as caught:
        address()

    assert target[:4] in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_cache_that_is_no_redis_is_refused(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.DJANGO_AGENDA = {}

    with pytest.raises(ImproperlyConfigured, match="locmem"):
        address()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"PREFX": "a"}, "PREFIX"),
        ({"CHUNK_SIZE": 0}, "CHUNK_SIZE"),
        ({"CHUNK_SIZE": 5001}, "5000"),
        ({"CHUNK_SIZE": "10"}, "CHUNK_SIZE"),
        ({"MAX_BLOCK": -1}, "MAX_BLOCK"),
        ({"MAX_BLOCK": True}, "MAX_BLOCK"),
        ({"PREFIX": ""}, "PREFIX"),
        ("no dict", "dict"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(given: Any, words: str, settings: Any) -> None:
    settings.DJANGO_AGENDA = given

    with pytest.raises(ImproperlyConfigured, match=words):
        get_settings()


def test_durations_may_be_seconds_or_timedeltas(settings: Any) -> None:
    settings.DJANGO_AGENDA = {"MAX_BLOCK": 2, "HEARTBEAT": timedelta(seconds=3)}

    assert timedelta(seconds=2) == get_settings().MAX_BLOCK
    assert timedelta(seconds=3) == get_settings().HEARTBEAT

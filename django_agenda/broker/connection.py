"""Our own pools on the project's Redis.

Address, credentials and TLS come from the CACHES alias or the URL; the pools do not, because
django-redis shares one by URL for the whole process, with time-outs that are made for a cache.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from django_agenda.conf import PRIVATE_REDIS, Settings, get_settings

SCHEMES = ("redis://", "rediss://", "unix://")
CONNECT_TIMEOUT = 3.0
SOCKET_TIMEOUT = 5.0
POOL_SIZE = 64

_clients: dict[tuple[Any, ...], Redis] = {}


def client(*, blocks_for: float = 0.0) -> Redis:
    """Return this process's client; `blocks_for` seconds are added to its read time-out.

    Commands are never sent again by the client itself: a script may have run although its
    answer was lost, and who calls knows what that means.
    """
    url, options = address()
    key = (os.getpid(), url, blocks_for)
    if key not in _clients:
        pool = ConnectionPool.from_url(
            url,
            **{
                "socket_connect_timeout": CONNECT_TIMEOUT,
                "socket_timeout": SOCKET_TIMEOUT + blocks_for,
                "retry": Retry(NoBackoff(), 0),
                "health_check_interval": 0 if blocks_for else 15,
                "max_connections": POOL_SIZE,
                "client_name": "django_agenda",
                **options,
                "decode_responses": True,
                "encoding_errors": "backslashreplace",
            },
        )
        _clients[key] = Redis.from_pool(pool)
    return _clients[key]


def forget_clients() -> None:
    """Close what is open in this process; the next call connects anew."""
    for one in _clients.values():
        one.close()
    _clients.clear()


def address(settings: Settings | None = None) -> tuple[str, Mapping[str, Any]]:
    """Return the URL and connection options, or raise ImproperlyConfigured naming what is wrong."""
    target = os.environ.get(PRIVATE_REDIS) or (settings or get_settings()).REDIS
    if target.startswith(SCHEMES):
        return target, {}
    if "://" in target:
        raise ImproperlyConfigured(
            f"DJANGO_AGENDA['REDIS'] must be an alias of CACHES or a URL that begins with one of"
            f" {', '.join(SCHEMES)}, not {_without_password(target)!r}."
        )
    return _from_alias(target)


def _from_alias(alias: str) -> tuple[str, Mapping[str, Any]]:
    try:
        cache = django_settings.CACHES[alias]
    except KeyError:
        known = ", ".join(sorted(django_settings.CACHES)) or "none"
        raise ImproperlyConfigured(
            f"DJANGO_AGENDA['REDIS'] names {alias!r}, which is no alias of CACHES ({known})."
        ) from None
    location = cache.get("LOCATION") or ""
    url = location if isinstance(location, str) else next(iter(location), "")
    url = url.split(",")[0].strip()
    if "django_redis" not in cache.get("BACKEND", "") or not url.startswith(SCHEMES):
        raise ImproperlyConfigured(
            f"DJANGO_AGENDA['REDIS'] names the cache {alias!r}, whose BACKEND is"
            f" {cache.get('BACKEND')!r}; it must be django_redis.cache.RedisCache with a LOCATION"
            f" that begins with one of {', '.join(SCHEMES)}."
        )
    return url, _credentials(cast("Mapping[str, Any]", cache.get("OPTIONS") or {}))


def _credentials(options: Mapping[str, Any]) -> dict[str, Any]:
    taken = {
        name: value
        for name, value in options.get("CONNECTION_POOL_KWARGS", {}).items()
        if name.startswith("ssl_") or name in ("username", "password", "credential_provider")
    }
    for option in ("USERNAME", "PASSWORD"):
        if options.get(option):
            taken[option.lower()] = options[option]
    return taken


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://***@{rest.rpartition('@')[2]}" if "@" in rest else url

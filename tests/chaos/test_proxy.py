"""The proxy passes on what is said, and loses just the answers that it is told to lose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import RedisServer

from .proxy import Proxy


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    proxy = Proxy(redis_server.client.connection_pool.connection_kwargs["path"])
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[redis.Redis]:
    once = Retry(NoBackoff(), 0)
    client = redis.Redis(host="127.0.0.1", port=proxy.port, decode_responses=True, retry=once)
    yield client
    client.close()


def test_what_is_asked_is_answered(client: redis.Redis) -> None:
    client.set("key", "x" * 1_000_000)

    assert client.get("key") == "x" * 1_000_000


def test_a_request_whose_answer_is_lost_was_done(proxy: Proxy, client: redis.Redis) -> None:
    proxy.lose(1, b"INCR")
    client.ping()

    with pytest.raises(redis.ConnectionError):
        client.incr("count")

    assert client.get("count") == "1"
    assert client.incr("count") == 2
    assert proxy.lost == 1


def test_a_cut_ends_every_connection(proxy: Proxy, redis_server: RedisServer) -> None:
    port, once = proxy.port, Retry(NoBackoff(), 0)
    clients = [redis.Redis(host="127.0.0.1", port=port, retry=once) for _ in range(3)]
    subscribers = [
        one.pubsub()  # type: ignore[no-untyped-call]
        for one in clients
    ]
    for one in subscribers:
        one.subscribe("news")
        one.get_message(timeout=5)

    proxy.cut()

    for one in subscribers:
        with pytest.raises(redis.ConnectionError):
            one.get_message(timeout=5)
        one.close()
    for client in clients:
        client.close()

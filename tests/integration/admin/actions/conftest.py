"""Actions need commits and a Redis: the fixture of the folder above this one's is back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import sound
from tests.conftest import RedisServer


@pytest.fixture(autouse=True)
def _everything_holds(transactional_db: None, redis_server: RedisServer) -> Iterator[None]:
    yield
    redis_server.thaw()
    redis_server.start()
    sound.assert_sound()
    sound.assert_no_key_is_forgotten(redis_server.client)

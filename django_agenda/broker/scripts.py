"""The Lua scripts, one a file, run by their hash and sent whole to a server that lacks them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, NamedTuple

from redis import Redis
from redis.exceptions import NoScriptError


class Script(NamedTuple):
    """Hold a script and the hash by which Redis knows it."""

    text: str
    digest: str

    def run(self, client: Redis, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run it in one round trip; in two on a server that sees it for the first time."""
        try:
            return client.evalsha(self.digest, len(keys), *keys, *args)
        except NoScriptError:
            return client.eval(self.text, len(keys), *keys, *args)


@cache
def script(name: str) -> Script:
    """Return the script of the file lua/<name>.lua."""
    text = files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())

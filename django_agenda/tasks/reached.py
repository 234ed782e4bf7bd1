"""How far a body says that it is."""

from __future__ import annotations

from typing import NamedTuple

from .call import is_storable

MAX_MESSAGE = 255
_MOST = 2**63 - 1


class Reached(NamedTuple):
    """Hold how much is done, of how much (None: nobody knows), and what is being done now."""

    done: int
    total: int | None = None
    message: str = ""


def read_reached(done: int, total: int | None, message: str) -> Reached:
    """Return them, or raise a TypeError or ValueError that names the value that is wrong."""
    if type(done) is not int:
        _check_whole("done", done)
    if total is None:
        if not 0 <= done <= _MOST:
            raise ValueError(f"'done' must be from 0 to 2**63 - 1, not {done!r:.80}")
    else:
        if type(total) is not int:
            _check_whole("total", total)
        if not 0 <= done <= total <= _MOST:
            raise ValueError(
                "'done' must be from 0 to 'total', and that at most 2**63 - 1,"
                f" not done={done!r:.80}, total={total!r:.80}"
            )
    if message.__class__ is not str or message:
        _check_message(message)
    return Reached(done, total, message)


def _check_whole(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name!r} must be a whole number, not {value!r:.80}")


def _check_message(message: object) -> None:
    if not isinstance(message, str):
        raise TypeError(f"'message' must be a text, not {message!r:.80}")
    if len(message) > MAX_MESSAGE:
        raise ValueError(
            f"'message' must have at most {MAX_MESSAGE} characters, not {len(message)}:"
            f" {message!r:.80}"
        )
    is_plain = message.isascii() and "\0" not in message
    if not is_plain and not is_storable(message):
        raise ValueError(
            f"'message' must hold no NUL and no half of a surrogate pair: {message!r:.80}"
        )

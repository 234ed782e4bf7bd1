"""Cron expressions of others, in the rules that ours have.

Celery wants every field to match, also both days; its ranges may wrap around, and names of days
may be long. Croniter takes either day when neither is exactly `*`, and has seconds at the end.
Ours are those of Debian: either day, unless one of the two begins with `*`; seconds come first.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .found import CannotCarry

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_STAR = re.compile(r"\*(?:/(\d+))?")
_RANGE = re.compile(r"(\w+)(?:-(\w+))?(?:/(\d+))?")


class _Field(NamedTuple):
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()


_MINUTE = _Field("minute", 0, 59)
_HOUR = _Field("hour", 0, 23)
_DAY = _Field("day of month", 1, 31)
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("day of week", 0, 6, _DAYS)


def from_celery(minute: str, hour: str, day: str, month: str, weekday: str) -> str:
    """Return our expression for the five fields of a Celery crontab."""
    pairs = ((_MINUTE, minute), (_HOUR, hour), (_DAY, day), (_MONTH, month), (_WEEKDAY, weekday))
    minute, hour, day, month, weekday = (_plain(field, text) for field, text in pairs)
    if not day.startswith("*") and not weekday.startswith("*"):
        raise CannotCarry(
            "Celery runs it when the day of the month and the day of the week both match"
            f" ({day!r} and {weekday!r}); one cron expression cannot say that"
        )
    return " ".join((minute, hour, day, month, weekday))


def from_croniter(expression: str) -> str:
    """Return our expression for one of croniter."""
    words = expression.split()
    if len(words) == 7:
        raise CannotCarry(f"the expression {expression!r} has a field for years")
    seconds = words[5:]
    if len(words) in (5, 6):
        words = ["*" if word == "?" else word for word in words[:5]]
        day, weekday = words[2], words[4]
        # To croniter what leaves nothing out is a star, but only beside one in the other field.
        if "*" in weekday and _is_all(_DAY, day):
            words[2] = "*"
        if "*" in day and _is_all(_WEEKDAY, weekday):
            words[4] = "*"
        if "*" not in (words[2], words[4]):
            words[2], words[4] = _expanded(_DAY, day), _expanded(_WEEKDAY, weekday)
    return " ".join(seconds + words)


def _plain(field: _Field, text: str) -> str:
    """Write a field of Celery without what only Celery understands."""
    text = re.sub(r"[\s\[\](){}]", "", text)
    if text in ("", "*/1"):
        return "*"
    if (star := _STAR.fullmatch(text)) is not None:
        _step(field, text, star[1])
        return text
    found = sorted({number for part in text.split(",") for number in _numbers(field, part)})
    if len(found) == field.last - field.first + 1:
        return "*"
    return ",".join(map(str, found))


def _is_all(field: _Field, text: str) -> bool:
    try:
        found = {number for part in text.split(",") for number in _numbers(field, part)}
    except CannotCarry:
        return False  # L, 5L, 1#2
    return len(found) == field.last - field.first + 1


def _expanded(field: _Field, text: str) -> str:
    """Write out what begins with a star, which would mean that both days must match."""
    if not text.startswith("*"):
        return text
    found = sorted({number for part in text.split(",") for number in _numbers(field, part)})
    return ",".join(map(str, found))


def _numbers(field: _Field, part: str) -> list[int]:
    if star := _STAR.fullmatch(part):
        return list(range(field.first, field.last + 1))[:: _step(field, part, star[1])]
    found = _RANGE.fullmatch(part)
    if found is None:
        raise CannotCarry(f"its {field.name} is not understood: {part!r}")
    first = _number(field, found[1])
    last = first if found[2] is None else _number(field, found[2])
    if first > last:
        numbers = [*range(first, field.last + 1), *range(field.first, last + 1)]
    else:
        numbers = list(range(first, last + 1))
    return numbers[:: _step(field, part, found[3])]


def _step(field: _Field, part: str, text: str | None) -> int:
    step = 1 if text is None else int(text)
    if not step:
        raise CannotCarry(f"its {field.name} has a step of nothing: {part!r}")
    return step


def _number(field: _Field, word: str) -> int:
    short = word[:3].lower()
    if short in field.names:
        return field.names.index(short) + field.first
    if word.isdecimal():
        number = int(word)
        if field is _WEEKDAY and number == 7:
            return 0
        if field.first <= number <= field.last:
            return number
    raise CannotCarry(f"its {field.name} has {word!r}, which is none")

"""The rules of schedules in words, in the language that is active."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import product

from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy, pgettext

from django_agenda.timing.cron import LAST, LAST_WORKDAY, Cron, Fields, Weekday
from django_agenda.timing.recurrence import Interval, Once, Rule

_MANY_TIMES = 6
_MANY_NUMBERS = 4
_MANY_UNITS = 100
_HOURS = frozenset(range(24))
_MINUTES = frozenset(range(60))
# "Every" goes with the unit: languages have genders.
_EACH_DAY = ngettext_lazy("every day", "every %(count)s days", "count")
_EACH_HOUR = ngettext_lazy("every hour", "every %(count)s hours", "count")
_EACH_MINUTE = ngettext_lazy("every minute", "every %(count)s minutes", "count")
_EACH_SECOND = ngettext_lazy("every second", "every %(count)s seconds", "count")
_UNITS = (
    (timedelta(days=1), ngettext_lazy("%(count)s day", "%(count)s days", "count"), _EACH_DAY),
    (timedelta(hours=1), ngettext_lazy("%(count)s hour", "%(count)s hours", "count"), _EACH_HOUR),
    (
        timedelta(minutes=1),
        ngettext_lazy("%(count)s minute", "%(count)s minutes", "count"),
        _EACH_MINUTE,
    ),
    (
        timedelta(seconds=1),
        ngettext_lazy("%(count)s second", "%(count)s seconds", "count"),
        _EACH_SECOND,
    ),
    (
        timedelta(milliseconds=1),
        ngettext_lazy("%(count)s millisecond", "%(count)s milliseconds", "count"),
        ngettext_lazy("every millisecond", "every %(count)s milliseconds", "count"),
    ),
    (
        timedelta(microseconds=1),
        ngettext_lazy("%(count)s microsecond", "%(count)s microseconds", "count"),
        ngettext_lazy("every microsecond", "every %(count)s microseconds", "count"),
    ),
)


def rule_in_words(rule: Rule) -> str:
    """Say a rule: "at 08:00, Monday to Friday, Europe/Berlin", "every 10 seconds"."""
    match rule:
        case Cron():
            return f"{_cron(rule.fields)}, {rule.zone}"
        case Interval():
            return _every(rule.length)
        case Once():
            return _("once, at %(moment)s UTC") % {"moment": f"{rule.at:%Y-%m-%d %H:%M:%S}"}
    raise TypeError(f"There are no words for a rule of {type(rule)}")


def length_in_words(length: timedelta) -> str:
    """Say a duration: "90 seconds" is "1 minute 30 seconds"."""
    parts = []
    for unit, counted, _each in _UNITS:
        count, length = divmod(length, unit)
        if count:
            parts.append(counted % {"count": count})
    return " ".join(parts)


def _every(length: timedelta) -> str:
    """Say how often: in one unit if that is a whole number that people read, else in more."""
    for unit, _counted, each in _UNITS:
        if length % unit == timedelta(0) and length // unit < _MANY_UNITS:
            return each % {"count": length // unit}
    return _("every %(length)s") % {"length": length_in_words(length)}


def _cron(fields: Fields) -> str:
    days, is_each_day = _days(fields)
    parts = [_times(fields), *days]
    if is_each_day and (_has_few_times(fields) or not _step(fields.hours, 24)):
        parts.append(pgettext("on which days", "every day"))
    if len(fields.months) < len(MONTHS):
        names = _runs(sorted(fields.months), lambda month: str(MONTHS[month]))
        parts.append(_("in %(months)s") % {"months": _listed(names)})
    return ", ".join(parts)


def _times(fields: Fields) -> str:
    """Say when on a day it ticks."""
    hours, minutes, seconds = fields.hours, fields.minutes, fields.seconds
    if _has_few_times(fields):
        moments = product(sorted(hours), sorted(minutes), sorted(seconds))
        form = "{:02}:{:02}:{:02}" if seconds != {0} else "{:02}:{:02}"
        times = _listed([form.format(*moment) for moment in moments])
        return _("at %(times)s") % {"times": times}
    step = _step_of(fields)
    if step and hours == _HOURS:
        return step
    if step and _is_run(hours):
        first, last = f"{min(hours):02}:00", f"{max(hours):02}:{max(minutes):02}"
        return _("%(step)s from %(first)s to %(last)s") % {
            "step": step,
            "first": first,
            "last": last,
        }
    if seconds == minutes == {0} and (every := _step(hours, 24)):
        return _EACH_HOUR % {"count": every}
    return ", ".join(_places(fields))


def _has_few_times(fields: Fields) -> bool:
    return len(fields.hours) * len(fields.minutes) * len(fields.seconds) <= _MANY_TIMES


def _step_of(fields: Fields) -> str:
    """Say a rhythm that begins anew with each hour; nothing if it has none."""
    every_second, every_minute = _step(fields.seconds, 60), _step(fields.minutes, 60)
    if every_second and fields.minutes == _MINUTES:
        return _EACH_SECOND % {"count": every_second}
    if fields.seconds != {0}:
        return ""
    if every_minute:
        return _EACH_MINUTE % {"count": every_minute}
    return _EACH_HOUR % {"count": 1} if fields.minutes == {0} else ""


def _places(fields: Fields) -> Iterator[str]:
    """Say the seconds, minutes and hours themselves, of what has no simpler words."""
    if fields.seconds != {0}:
        yield _("at second %(seconds)s") % {"seconds": _numbers(fields.seconds)}
    numbers = {"minutes": _numbers(fields.minutes), "hours": _numbers(fields.hours)}
    if fields.minutes == _MINUTES:
        is_each_hour = fields.hours == _HOURS
        yield (
            _EACH_MINUTE % {"count": 1}
            if is_each_hour
            else _("every minute of hour %(hours)s") % numbers
        )
    elif fields.hours == _HOURS:
        yield _("at minute %(minutes)s of every hour") % numbers
    else:
        yield _("at minute %(minutes)s of hour %(hours)s") % numbers


def _days(fields: Fields) -> tuple[list[str], bool]:
    """Say on which days it ticks, and tell whether that is each day."""
    has_days = not fields.days >= frozenset(range(1, 32))
    has_weekdays = not fields.weekdays >= {Weekday(day) for day in range(7)}
    days, weekdays = _month_days(fields.days), _weekdays(fields.weekdays)
    if fields.needs_both:
        if not has_days:
            return [weekdays] if has_weekdays else [], not has_weekdays
        only = _("only if it is %(weekdays)s") % {"weekdays": weekdays}
        return [days, only] if has_weekdays else [days], False
    if not has_days or not has_weekdays:
        return [], True
    return [_("%(days)s or %(weekdays)s") % {"days": days, "weekdays": weekdays}], False


def _month_days(days: Iterable[int]) -> str:
    parts = []
    if numbers := [day for day in days if day > 0]:
        words = ngettext(
            "day %(numbers)s of the month", "days %(numbers)s of the month", len(numbers)
        )
        parts.append(words % {"numbers": _numbers(numbers)})
    if LAST in days:
        parts.append(_("the last day of the month"))
    if LAST_WORKDAY in days:
        parts.append(_("the last weekday of the month"))
    return _listed(parts)


def _weekdays(weekdays: Iterable[Weekday]) -> str:
    # Monday first: "Friday to Sunday" is one run then.
    order = sorted((one.nth or 0, (one.day - 1) % 7) for one in weekdays)
    each = _runs([day for nth, day in order if not nth], lambda day: str(WEEKDAYS[day]))
    some = [_nth(nth) % {"day": WEEKDAYS[day]} for nth, day in order if nth]
    return _listed([*each, *some])


def _nth(nth: int) -> str:
    return {
        1: _("the first %(day)s of the month"),
        2: _("the second %(day)s of the month"),
        3: _("the third %(day)s of the month"),
        4: _("the fourth %(day)s of the month"),
        5: _("the fifth %(day)s of the month"),
        LAST: _("the last %(day)s of the month"),
    }[nth]


def _runs(numbers: Sequence[int], name: Callable[[int], str]) -> list[str]:
    """Name numbers in their order, three or more in a row by their ends."""
    names: list[str] = []
    rest = list(numbers)
    while rest:
        length = next((n for n, number in enumerate(rest) if number != rest[0] + n), len(rest))
        if length > 2:
            ends = {"first": name(rest[0]), "last": name(rest[length - 1])}
            names.append(_("%(first)s to %(last)s") % ends)
        else:
            names += map(name, rest[:length])
        del rest[:length]
    return names


def _numbers(numbers: Iterable[int]) -> str:
    """List numbers; many in equal steps by the first two and the last: "0, 2, …, 22"."""
    order = sorted(numbers)
    step = order[1] - order[0] if len(order) > _MANY_NUMBERS else 1
    if step > 1 and order == list(range(order[0], order[-1] + 1, step)):
        return ", ".join(map(str, [*order[:2], "…", order[-1]]))
    return _listed(_runs(order, str))


def _listed(parts: Sequence[str]) -> str:
    """Say one thing after the other: "A, B and C"."""
    if len(parts) < 2:
        return "".join(parts)
    first = pgettext("between the parts of a list", ", ").join(parts[:-1])
    return _("%(first)s and %(last)s") % {"first": first, "last": parts[-1]}


def _is_run(numbers: frozenset[int]) -> bool:
    return max(numbers) - min(numbers) == len(numbers) - 1


def _step(numbers: frozenset[int], whole: int) -> int:
    """Return the step of a rhythm that fills the whole evenly from 0 on, or 0."""
    step = whole // len(numbers)
    return step if step < whole and numbers == set(range(0, whole, step)) else 0

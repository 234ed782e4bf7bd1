"""Numbers, moments and durations in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from uuid import UUID

from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from django_agenda.models.batch import Batch

from .units import DAYS, HOURS, MILLISECONDS, MINUTES, SECONDS

_NAMED = 3
_RATE_UNITS = ((1000, SECONDS), (60_000, MINUTES), (3_600_000, HOURS), (86_400_000, DAYS))
_UNITS = tuple(reversed(_RATE_UNITS))


def count(number: int) -> str:
    """Return a whole number with its thousands grouped; as in English where no language is on."""
    if get_language() is None:
        return f"{number:,}"
    return number_format(number, use_l10n=True, force_grouping=True)


def percent(part: int, whole: int) -> str:
    """Return a share; what is not nothing is never shown as 0 %, nor what is not all as 100 %."""
    if not whole or not part:
        return "0 %"
    share = 100 * part / whole
    if share < 0.1:
        return "< 0.1 %"
    if 99.9 < share < 100:
        return "> 99.9 %"
    digits = 0 if part == whole or share == int(share) else 1
    return f"{number_format(round(share, digits), digits)} %"


def duration(milliseconds: float) -> str:
    """Return a duration in its two largest units: 240 ms, 1.2 s, 4 min 30 s, 2 d 3 h."""
    sign, size = ("-" if milliseconds < 0 else ""), abs(milliseconds)
    if size < 999.5:
        return f"{sign}{round(size)} {MILLISECONDS}"
    if size < 59_950:
        digits = 1 if size < 9950 else 0
        return f"{sign}{number_format(round(size / 1000, digits), digits)} {SECONDS}"
    size = round(size / 1000) * 1000
    for place, (unit, name) in enumerate(_UNITS):
        if size >= unit:
            whole, rest = divmod(size, unit)
            smaller, smaller_name = _UNITS[min(place + 1, len(_UNITS) - 1)]
            more = f" {rest // smaller} {smaller_name}" if rest >= smaller else ""
            return f"{sign}{whole} {name}{more}"
    return f"{sign}{size} {MILLISECONDS}"


def rate(number: int, milliseconds: float) -> str:
    """Return how often something happens, in the unit in which it is at least one.

    Nobody knows what it would be over a second when it took less: "40 in 250 ms".
    """
    if not number or milliseconds <= 0:
        return "–"
    if milliseconds < _RATE_UNITS[0][0]:
        numbers = {"count": count(number), "duration": duration(milliseconds)}
        return _("%(count)s in %(duration)s") % numbers
    *units, longest = _RATE_UNITS
    unit, name = next((pair for pair in units if number * pair[0] >= milliseconds), longest)
    often = number * unit / milliseconds
    digits = 0 if often >= 100 or often == int(often) else 1
    return f"{number_format(round(often, digits), digits, force_grouping=True)} / {name}"


def on_the_clock(moment: datetime, zone: tzinfo | None = None) -> datetime:
    """Return a moment on the user's clock, or that of a zone; in UTC where it has no such year."""
    try:
        return timezone.localtime(moment, zone)
    except OverflowError:
        return moment.astimezone(UTC)


def clock_time(
    moment: datetime, now: datetime, *, exact: bool = False, seconds: bool = True
) -> str:
    """Return a moment on the user's clock, with its date unless it is today's."""
    local, today = on_the_clock(moment), on_the_clock(now)
    text = format_date(local, "H:i:s" if seconds else "H:i")
    if exact:
        text += f".{local.microsecond // 1000:03d}"
    if local.date() == today.date():
        return text
    date = format_date(local, short_date() if local.year == today.year else _dated())
    return f"{date}, {text}"


def short_date() -> str:
    """Return how the language of this moment writes a day: a format of Django's."""
    return pgettext("a format of dates", "j M")


def full_date() -> str:
    """Return how it writes a day with its weekday and its year."""
    return pgettext("a format of dates", "D j M Y")


def _dated() -> str:
    return pgettext("a format of dates", "j M Y")


def time_tag(
    moment: datetime | None, now: datetime, *, exact: bool = False, seconds: bool = True
) -> SafeString | str:
    """Return a moment as a <time> whose title is the same in UTC; nothing for None."""
    if moment is None:
        return ""
    exactly = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        exactly.isoformat(timespec="milliseconds"),
        exactly.strftime("%Y-%m-%d %H:%M:%S.") + f"{exactly.microsecond // 1000:03d}",
        clock_time(moment, now, exact=exact, seconds=seconds),
    )


def distance(moment: datetime, now: datetime) -> str:
    """Return how far a moment is from now: "in 5 min", "3 s ago"."""
    away = _rough(abs((moment - now) / timedelta(milliseconds=1)))
    if moment >= now:
        return _("in %(duration)s") % {"duration": away}
    return _("%(duration)s ago") % {"duration": away}


def _rough(milliseconds: float) -> str:
    """Return a duration in its largest unit."""
    size = round(milliseconds / 1000) * 1000
    unit, name = next(((unit, name) for unit, name in _UNITS if size >= unit), _UNITS[-1])
    return f"{size // unit} {name}"


def short_id(key: UUID) -> str:
    """Return the end of an id: its beginning is the time, and alike among many."""
    return f"…{str(key)[-6:]}"


def some_names(names: Sequence[str]) -> str:
    """Return the first three names, and a sign that there are more."""
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def short_task(name: str) -> str:
    """Return the last part of a task's dotted path."""
    return name.rpartition(".")[2]


def batch_sentence(batch: Batch) -> str:
    """Return where a batch stands, in the words and numbers of the admin."""
    return batch.describe(count, pending=_("not enqueued"))

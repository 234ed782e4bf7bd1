import math
import re
import reprlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json import JSONDecoder
from json.encoder import encode_basestring as _quoted
from typing import Any, NoReturn, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.functional import Promise

MAX_DEPTH = 64
MAX_DIGITS = sys.int_info.default_max_str_digits

_SURELY_SHORT = 3 * MAX_DIGITS  # Bits; a digit takes more than three.
_MICROSECOND = timedelta(microseconds=1)
_SHOWN = 80
_SHOWN_PATH = 300
# A stamp as in ISO 8601, the key of a zone as in RFC 9557, and which of two equal hours it is.
_Stamp = TypeVar("_Stamp", datetime, time)
_STAMP = re.compile(r"([^\[]+)(?:\[(?!fold=)(.+?)\])?(\[fold=1\])?")


class _Refused(Exception):
    """Carry a refusal up to the root, collecting the path on its way (innermost step first)."""

    def __init__(self, error: type[TypeError | ValueError], reason: str, value: object) -> None:
        self.error = error
        self.reason = reason
        self.value = value
        self.steps: list[str] = []

    def passes(self, container: object, key: object) -> None:
        if self.value is container:
            self.error, self.reason = ValueError, "contains itself"
            self.steps.clear()
        else:
            self.steps.append(f"[{_quoted(key) if isinstance(key, str) else _named(key)}]")

    def under(self, root: str) -> TypeError | ValueError:
        path = root + "".join(reversed(self.steps))
        if len(path) > _SHOWN_PATH:
            path = f"{path[: _SHOWN_PATH // 2]}...{path[-_SHOWN_PATH // 2 :]}"
        message = f"{path}: {self.reason}".encode(errors="backslashreplace").decode()
        return self.error(message.replace("\0", "\\x00"))


def encode_arguments(
    args: Sequence[Any], kwargs: Mapping[str, Any], *, max_bytes: int | None = None
) -> tuple[str, str]:
    """Turn arguments into two JSON texts, a list and an object, for decode() to read.

    Dates, datetimes, times, timedeltas, Decimals and UUIDs come back as they were; of a datetime
    that is the instant, its offset from UTC, and its zone when that is a ZoneInfo with a key.
    Tuples come back as lists, and instances of subclasses (such as enums) as the plain value that
    they equal. What would not come back equal is a TypeError or ValueError that begins with its
    path; so are texts that take more than `max_bytes` of UTF-8 together.

    Typed values are objects with one key that begins with "$", and what only looks so gets one "$"
    more. Nothing is escaped to ASCII: the texts stay readable and searchable in the database.
    """
    if isinstance(args, str | bytes) or not isinstance(args, Sequence):
        raise TypeError(f"args: must be a list or tuple, not {_described(args)}")
    if not isinstance(kwargs, Mapping):
        raise TypeError(f"kwargs: must be a dict, not {_described(kwargs)}")
    root = "args"
    try:
        args_text = _array(args, 0) if args else "[]"
        root = "kwargs"
        kwargs_text = _object(kwargs, 0) if kwargs else "{}"
    except _Refused as refused:
        raise refused.under(root) from None
    _check_size("arguments", max_bytes, args_text, kwargs_text)
    return args_text, kwargs_text


def encode_result(value: Any, *, max_bytes: int | None = None) -> str:
    """Turn what a task returned into a JSON text, by the rules of encode_arguments()."""
    try:
        text = _encoded(value, 0)
    except _Refused as refused:
        raise refused.under("return value") from None
    _check_size("return value", max_bytes, text)
    return text


def decode(text: str) -> Any:
    """Read back what encode_arguments() or encode_result() wrote.

    A ValueError tells that it was not written by them, or by a newer version. A datetime whose zone
    is unknown here comes back with its offset alone; where the rules of the zone have changed, the
    instant is kept and the hour on the clock is not.
    """
    try:
        return (_TYPED if '{"$' in text else _PLAIN).decode(text)
    except RecursionError:
        raise ValueError("The JSON text is nested too deeply") from None


def _check_size(what: str, max_bytes: int | None, *texts: str) -> None:
    if max_bytes is None:
        return
    size = sum(len(text.encode()) for text in texts)
    if size > max_bytes:
        raise ValueError(f"{what}: {size} bytes of JSON are over the limit of {max_bytes}")


def _encoded(value: Any, depth: int) -> str:
    kind = type(value)
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if depth == MAX_DEPTH and issubclass(kind, (dict, list, tuple)):
        raise _Refused(ValueError, f"is nested deeper than {MAX_DEPTH} levels", value)
    # Never isinstance(): it asks __class__, and so makes a lazy object do its work.
    if issubclass(kind, dict):
        return _object(value if kind is dict else dict(value), depth + 1)
    if issubclass(kind, (list, tuple)):
        return _array(value, depth + 1)
    return _encoded(_as_builtin(value), depth)


def _array(items: Iterable[Any], depth: int) -> str:
    parts: list[str] = []
    try:
        for item in items:
            parts.append(_encoded(item, depth))  # noqa: PERF401 - an error asks how far it came
    except _Refused as refused:
        refused.passes(items, len(parts))
        raise
    return f"[{','.join(parts)}]"


def _object(mapping: Mapping[Any, Any], depth: int) -> str:
    parts: list[str] = []
    key: object = None
    try:
        for key, value in mapping.items():
            parts.append(f"{_name(key)}:{_encoded(value, depth)}")
    except _Refused as refused:
        refused.passes(mapping, key)
        raise
    if len(parts) == 1 and parts[0].startswith('"$'):
        # Looks like a tag; one more "$" tells decode() that it is none.
        return f'{{"${parts[0][1:]}}}'
    return f"{{{','.join(parts)}}}"


def _name(key: object) -> str:
    if not issubclass(type(key), str):
        raise _Refused(TypeError, f"a key must be a string, not {_described(key)}", key)
    return _string(_as_builtin(key) if type(key) is not str else key)


def _as_builtin(value: Any) -> Any:
    """Give the plain value to which this one, of a subclass, is equal."""
    kind = type(value)
    for builtin, copy in _COPIES.items():
        if issubclass(kind, builtin):
            with suppress(Exception):  # Such as the year of a NaT.
                plain = copy(builtin, value)
                if type(plain) is builtin and (plain == value or plain != plain):  # noqa: PLR0124
                    return plain
            break
    hint = "; pass its primary key" if hasattr(kind, "_meta") else ""
    hint = "; pass str() of it" if issubclass(kind, Promise) else hint
    raise _Refused(TypeError, f"cannot be sent as JSON: {_described(value)}{hint}", value)


def _string(value: str) -> str:
    if "\0" in value:
        raise _Refused(ValueError, f"has a NUL character: {_named(value)}", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Refused(ValueError, f"has a lone surrogate: {_named(value)}", value) from None
    return _quoted(value)


def _integer(value: int) -> str:
    if value.bit_length() > _SURELY_SHORT and abs(value) >= 10**MAX_DIGITS:
        bits = value.bit_length()
        raise _Refused(ValueError, f"has more than {MAX_DIGITS} digits: {bits} bits", value)
    return int.__repr__(value)


def _finite(value: Any) -> Any:
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        raise _Refused(ValueError, f"must be a finite number, not {_named(value)}", value)
    return value


def _stamp(value: datetime | time) -> str:
    zone = value.tzinfo
    try:
        text = value.isoformat()
        offset = value.utcoffset()
    except Exception as error:  # noqa: BLE001 - a tzinfo is anybody's code
        raise _Refused(TypeError, f"has a zone that fails: {_named(error)}", value) from None
    if isinstance(zone, ZoneInfo) and isinstance(zone.key, str):
        text += f"[{zone.key}]"
    elif zone is not None and offset is None:
        raise _Refused(TypeError, f"has a zone without an offset: {_named(value)}", value)
    return _string(f"{text}[fold=1]" if value.fold else text)


def _read_datetime(content: str) -> datetime:
    moment, zone = _read_stamp(datetime, content)
    there = moment.replace(tzinfo=zone or moment.tzinfo)
    return there if moment.utcoffset() in (None, there.utcoffset()) else moment.astimezone(zone)


def _read_time(content: str) -> time:
    moment, zone = _read_stamp(time, content)
    return moment.replace(tzinfo=zone or moment.tzinfo)


def _read_stamp(kind: type[_Stamp], content: str) -> tuple[_Stamp, ZoneInfo | None]:
    text, key, fold = _STAMP.fullmatch(content).groups()  # type: ignore[union-attr]
    moment = kind.fromisoformat(text).replace(fold=int(fold is not None))
    try:
        return moment, ZoneInfo(key) if key else None
    except (KeyError, ValueError, OSError):
        if moment.tzinfo is None:
            raise
        return moment, None


def _untagged(found: dict[str, Any]) -> Any:
    if len(found) != 1 or not next(iter(found)).startswith("$"):
        return found
    [(key, content)] = found.items()
    if key.startswith("$$"):
        return {key[1:]: content}
    if key not in _READERS:
        raise ValueError(f"The JSON text holds the unknown tag {key!r}")
    try:
        return _READERS[key](content)
    except Exception as error:
        raise ValueError(f"The JSON text holds {content!r} as {key!r}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"The JSON text holds {name}")


def _described(value: object) -> str:
    return f"{_named(value)} ({type(value).__name__})"


def _named(value: object) -> str:
    kind = type(value)
    try:
        # The repr of a model or of a query set may ask the database.
        asks = hasattr(kind, "_meta") or hasattr(kind, "as_manager")
        text = f"<{kind.__name__}>" if asks else _SHORTENED.repr(value)
    except Exception:  # noqa: BLE001 - a repr is anybody's code
        return f"<{kind.__name__} that cannot be shown>"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


_SHORTENED = reprlib.Repr()
_SHORTENED.maxstring = _SHORTENED.maxother = _SHORTENED.maxlong = _SHOWN

_SCALARS: dict[type, Callable[[Any], str]] = {
    int: _integer,
    str: _string,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    float: lambda value: float.__repr__(_finite(value)),
    date: lambda value: f'{{"$date":"{value.isoformat()}"}}',
    datetime: lambda value: f'{{"$datetime":{_stamp(value)}}}',
    time: lambda value: f'{{"$time":{_stamp(value)}}}',
    timedelta: lambda value: f'{{"$microseconds":{value // _MICROSECOND}}}',
    Decimal: lambda value: f'{{"$decimal":"{_finite(value)}"}}',
    UUID: lambda value: f'{{"$uuid":"{value}"}}',
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "$date": date.fromisoformat,
    "$datetime": _read_datetime,
    "$time": _read_time,
    "$microseconds": lambda count: timedelta(microseconds=count),
    "$decimal": Decimal,
    "$uuid": UUID,
}
# A datetime is a date as well, and so it comes first.
_COPIES: dict[type, Callable[[Any, Any], Any]] = {
    str: lambda _, value: str.__str__(value),
    int: lambda _, value: int.__int__(value),
    float: lambda _, value: float.__float__(value),
    datetime: lambda kind, value: kind.combine(value.date(), value.timetz()),
    date: lambda kind, value: kind(value.year, value.month, value.day),
    time: lambda kind, v: kind(v.hour, v.minute, v.second, v.microsecond, v.tzinfo, fold=v.fold),
    timedelta: lambda kind, value: kind(value.days, value.seconds, value.microseconds),
    Decimal: lambda kind, value: kind(value),
    UUID: lambda kind, value: kind(int=value.int),
}
_PLAIN = JSONDecoder(parse_constant=_no_constant)
_TYPED = JSONDecoder(parse_constant=_no_constant, object_hook=_untagged)

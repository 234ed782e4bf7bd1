import enum
import json
import math
import sys
import uuid
from collections import Counter, OrderedDict, defaultdict, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from types import MappingProxyType, SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils.datastructures import MultiValueDict
from django.utils.functional import SimpleLazyObject, lazystr
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from django_agenda.tasks.payload import MAX_DEPTH, decode, encode_arguments, encode_result

BERLIN = ZoneInfo("Europe/Berlin")
DATE, NOON = date(2026, 1, 2), datetime(2026, 1, 2, 12)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    | st.dates()
    | st.datetimes(timezones=st.none() | st.timezones() | st.just(UTC))
    | st.times(timezones=st.none() | st.timezones())
    | st.timedeltas()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.uuids()
)
keys = st.text("ab$é", max_size=3) | st.sampled_from(["$date", "$$date", "$uuid", "$decimal"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=12
)


def round_trip(value: Any) -> Any:
    args, kwargs = encode_arguments((value,), {"value": value})
    back = decode(encode_result(value))
    assert exactly(decode(args)) == exactly([back])
    assert exactly(decode(kwargs)) == exactly({"value": back})
    return back


def exactly(value: Any) -> Any:
    """Say of a value all that == does not: types, signs, folds, zones, trailing zeros."""
    if isinstance(value, list):
        return [exactly(item) for item in value]
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    if isinstance(value, datetime | time):
        zone = value.tzinfo
        name = zone.key if isinstance(zone, ZoneInfo) else type(zone)
        return type(value), value.replace(tzinfo=None), value.fold, value.utcoffset(), name
    return type(value), repr(value)


# --- what comes back ---


@given(values)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    assert exactly(round_trip(value)) == exactly(value)


AWKWARD: list[Any] = [
    *(-0.0, 0.1, 1e22, 5e-324, sys.float_info.max, 2**53 + 1, 2**64, -(10**100)),
    *(10**4300 - 1, -(10**4300) + 1, True, False, None, "", "0", "null"),
    *("emoji 🎉👩‍👩‍👧", "line\u2028and\u2029paragraph", "\ufeff\ufffe\uffff", "\U0010ffff"),
    *(
        '"\\/\b\f\n\r\t\x01\x1f\x7f',
        "\\u0000",
        "</script>",
        "a\u0301",
        "\u202egnp.exe",
        "x" * 10**6,
    ),
    *("__proto__", "'; DROP TABLE x; --", "%s %(a)s {0}", '{"$date":"2026-01-02"}'),
    *([], {}, [[]], [{}], {"": ""}, {"$": 1}, {"$$": {"$": 1}}, {"$x": 1, "y": 2}),
    *({"$date": "2026-01-02"}, {"$$date": 1}, {"$date": {"$date": DATE}}, [{"$nothing": None}]),
    *(DATE, date.min, date.max, NOON, datetime.min, datetime.max, time.min, time.max),
    datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
    datetime(1880, 1, 1, tzinfo=timezone(timedelta(seconds=1172, microseconds=7))),
    datetime(2026, 7, 1, 12, tzinfo=BERLIN),
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN),
    datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN, fold=1),
    datetime(2026, 10, 25, 2, 30, fold=1),
    datetime.max.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
    datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo")),
    *(
        time(1, 2, tzinfo=UTC),
        time(1, 2, tzinfo=BERLIN, fold=1),
        time(1, tzinfo=ZoneInfo("UTC")),
    ),
    *(timedelta(0), timedelta.min, timedelta.max, timedelta(microseconds=-1)),
    *(Decimal("1.10"), Decimal("-0.00"), Decimal("1E+400"), Decimal("1e-400"), Decimal(10**50)),
    *(uuid.UUID(int=0), uuid.UUID("12345678-1234-5678-1234-567812345678")),
]


@pytest.mark.parametrize("value", AWKWARD, ids=lambda value: type(value).__name__)
def test_an_awkward_value_comes_back_as_it_was(value: Any) -> None:
    assert exactly(round_trip(value)) == exactly(value)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Flag(enum.IntFlag):
    BOTH = 3


class Shape(enum.Enum):
    ROUND = "round"


class Metres(float):
    pass


class Moment(datetime):
    """A datetime of a library: freezegun, pendulum."""


Point = namedtuple("Point", "x y")  # noqa: PYI024 - a type that projects use


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        *((Colour.RED, "red"), (Level.HIGH, 3), (Flag.BOTH, 3), (Metres(1.5), 1.5)),
        *((SafeString("<b>"), "<b>"), ({Colour.RED: Level.HIGH}, {"red": 3})),
        *(((1, (2, ())), [1, [2, []]]), (Point(1, 2), [1, 2])),
        *(
            (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
            (defaultdict(list, a=[1]), {"a": [1]}),
            (MultiValueDict({"a": [1, 2]}), {"a": [1, 2]}),
        ),
        *(
            (Counter("aab"), {"a": 2, "b": 1}),
            ({Colour.RED: {"$date": (1,)}}, {"red": {"$date": [1]}}),
        ),
        (
            Moment(2026, 10, 25, 2, 30, 1, 5, BERLIN, fold=1),
            datetime(2026, 10, 25, 2, 30, 1, 5, BERLIN, fold=1),
        ),
    ],
)
def test_a_subclass_comes_back_as_the_plain_value_that_it_equals(value: Any, plain: Any) -> None:
    assert exactly(round_trip(value)) == exactly(plain)


def test_texts_are_compact_and_readable() -> None:
    assert encode_arguments((3, "Zoë"), {}) == ('[3,"Zoë"]', "{}")
    assert encode_arguments([], {"a": [1, {"b": DATE}]}) == (
        "[]",
        '{"a":[1,{"b":{"$date":"2026-01-02"}}]}',
    )


@given(values)
def test_texts_are_json_for_everyone_else(value: Any) -> None:
    json.loads(encode_result(value), parse_constant=pytest.fail)


def test_a_kwarg_that_looks_like_a_tag_is_none() -> None:
    assert decode(encode_arguments((), {"$date": "2026-01-02"})[1]) == {"$date": "2026-01-02"}


def test_a_zone_that_is_unknown_here_leaves_the_offset() -> None:
    back = decode('{"$datetime":"2026-01-02T12:00:00+01:00[Mars/Olympus]"}')

    assert back.isoformat() == "2026-01-02T12:00:00+01:00"


def test_a_zone_whose_rules_have_changed_keeps_the_instant() -> None:
    back = decode('{"$datetime":"2026-01-02T12:00:00+05:00[Europe/Berlin]"}')

    assert back == datetime(2026, 1, 2, 7, tzinfo=UTC)
    assert back.tzinfo is BERLIN


def test_a_stamp_in_a_zone_may_be_written_by_hand_without_its_offset() -> None:
    back = decode('{"$datetime":"2026-07-02T12:00:00[Europe/Berlin]"}')

    assert exactly(back) == exactly(datetime(2026, 7, 2, 12, tzinfo=BERLIN))


# --- what is refused ---


class Model:
    _meta = "of a model"

    def __repr__(self) -> str:
        pytest.fail("The repr of a model may ask the database.")


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Poisonous:
    def __repr__(self) -> str:
        return "\0\ud800" + "x" * 10_000


class Contrary(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return False


class VagueZone(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None

    dst = utcoffset

    def tzname(self, moment: datetime | None) -> str | None:
        return None


class BrokenZone(VagueZone):
    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        raise OSError("no zone file")


def deep(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


HUGE = 10**4300
REFUSED: list[tuple[Any, type[Exception], str]] = [
    *(
        (math.nan, ValueError, "nan"),
        (math.inf, ValueError, "inf"),
        (-math.inf, ValueError, "-inf"),
    ),
    *((Decimal("NaN"), ValueError, "NaN"), (Decimal("sNaN"), ValueError, "sNaN")),
    *((Decimal("-Infinity"), ValueError, "-Infinity"), (Metres("nan"), ValueError, "nan")),
    *(("a\0b", ValueError, r"NUL character: 'a\x00b'"), (SafeString("\0"), ValueError, "NUL")),
    *(("\ud800", ValueError, r"lone surrogate: '\ud800'"), ("é\udfff", ValueError, "surrogate")),
    *((HUGE, ValueError, "4300 digits"), (-HUGE, ValueError, "4300 digits")),
    *((1 << 10**6, ValueError, "1000001 bits"), (deep(65), ValueError, "deeper than 64 levels")),
    *(({1, 2}, TypeError, "{1, 2} (set)"), (frozenset(), TypeError, "frozenset")),
    *((b"x", TypeError, "b'x' (bytes)"), (bytearray(b"x"), TypeError, "bytearray")),
    *(
        (memoryview(b"x"), TypeError, "memoryview"),
        (object(), TypeError, "object"),
        (int, TypeError, "int"),
    ),
    *(
        (1j, TypeError, "1j"),
        (Fraction(1, 3), TypeError, "Fraction"),
        (range(3), TypeError, "range"),
    ),
    *((PurePath("a"), TypeError, "a"), (MappingProxyType({}), TypeError, "mappingproxy")),
    *((SimpleNamespace(a=1), TypeError, "namespace"), (iter([1]), TypeError, "list_iterator")),
    *(
        (len, TypeError, "len"),
        (RuntimeError("x"), TypeError, "RuntimeError('x')"),
        (..., TypeError, "lips"),
    ),
    *((Shape.ROUND, TypeError, "Shape.ROUND"), (Contrary("x"), TypeError, "Contrary")),
    *((gettext_lazy("x"), TypeError, "pass str() of it"), (lazystr("x"), TypeError, "pass str()")),
    *((SimpleLazyObject(lambda: pytest.fail("asked")), TypeError, "SimpleLazyObject"),),
    *(
        (Model(), TypeError, "<Model> (Model); pass its primary key"),
        (Unprintable(), TypeError, "Unpri"),
    ),
    *(
        (Poisonous(), TypeError, r"\x00\ud800xxx"),
        (NOON.replace(tzinfo=BrokenZone()), TypeError, "OSErr"),
    ),
    *(
        (NOON.replace(tzinfo=VagueZone()), TypeError, "without"),
        (time(1, tzinfo=VagueZone()), TypeError, "wit"),
    ),
]


@pytest.mark.parametrize(
    ("value", "error", "reason"), REFUSED, ids=[type(value).__name__ for value, _, _ in REFUSED]
)
def test_what_does_not_survive_is_refused_with_its_path(
    value: Any, error: type[Exception], reason: str
) -> None:
    hidden = {"order": [0, {"total": value}]}
    for encode, path in (
        (lambda: encode_arguments((1, value), {}), "args[1]"),
        (lambda: encode_arguments((hidden,), {}), 'args[0]["order"][1]["total"]'),
        (lambda: encode_arguments((), hidden), 'kwargs["order"][1]["total"]'),
        (lambda: encode_result(value), "return value"),
        (lambda: encode_result(hidden), 'return value["order"][1]["total"]'),
    ):
        with pytest.raises(error) as refusal:
            encode()

        message = str(refusal.value)
        assert type(refusal.value) is error
        assert message.startswith(path)
        assert reason in message
        assert len(message) < 700
        assert message.encode().count(b"\0") == 0


@pytest.mark.parametrize("key", [1, 1.5, None, True, b"k", (1, 2), DATE, Level.HIGH, Unprintable()])
def test_a_key_that_is_no_string_is_refused(key: Any) -> None:
    with pytest.raises(TypeError, match=r'^kwargs\["a"\]\[.*\]: a key must be a string, not'):
        encode_arguments((), {"a": {"ok": 1, key: 2}})


@pytest.mark.parametrize("key", ["\0", "\ud800"])
def test_a_key_that_cannot_be_stored_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r'^args\[0\]\["\\u?d?'):
        encode_arguments(({key: 1},), {})


def test_nesting_is_limited_for_arguments_and_results_alike() -> None:
    assert round_trip(deep(MAX_DEPTH)) == deep(MAX_DEPTH)
    for too_deep in (deep(MAX_DEPTH + 1), deep(900)):
        with pytest.raises(ValueError, match=r"^args\[0\]\[.*deeper than 64 levels"):
            encode_arguments((too_deep,), {})


def test_a_very_long_path_is_cut_in_its_middle() -> None:
    name = "k" * 500

    with pytest.raises(
        ValueError, match=r'^kwargs\["kkk.*\.\.\..*kkk"\]: must be a finite'
    ) as refusal:
        encode_arguments((), {name: {name: math.nan}})

    assert len(str(refusal.value)) < 400


def test_a_value_that_cannot_be_shown_is_refused_all_the_same() -> None:
    disguised = type("set", (), {"__module__": "builtins"})()

    with pytest.raises(TypeError, match=r"^return value\[0\]: .* <set that cannot be shown>"):
        encode_result([disguised])


def test_what_contains_itself_is_told_so_at_its_place() -> None:
    ring: dict[str, Any] = {"list": []}
    ring["list"].append((0, ring))

    with pytest.raises(ValueError, match=r'^args\[1\]\["a"\]\S*: contains itself$'):
        encode_arguments((1, {"a": ring}), {})


def test_the_same_value_twice_is_no_ring() -> None:
    shared = [1]

    assert round_trip([shared, shared, {"a": shared}]) == [[1], [1], {"a": [1]}]


@pytest.mark.parametrize(
    ("args", "kwargs"), [("abc", {}), (b"abc", {}), (3, {}), ({1}, {}), (None, {})]
)
def test_arguments_that_are_no_list_are_refused(args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError, match=r"^args: must be a list or tuple"):
        encode_arguments(args, kwargs)
    with pytest.raises(TypeError, match=r"^kwargs: must be a dict"):
        encode_arguments((), [("a", 1)])  # type: ignore[arg-type]


def test_the_limit_counts_the_bytes_of_both_texts() -> None:
    args, kwargs = ("é" * 10,), {"a": 1}  # 24 and 7 bytes

    assert encode_arguments(args, kwargs, max_bytes=31)
    with pytest.raises(ValueError, match=r"^arguments: 31 bytes of JSON are over the limit of 30$"):
        encode_arguments(args, kwargs, max_bytes=30)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[", "[1]x", "[NaN]", "[-Infinity]", "nul", "[1,]", "'a'", "[" * 100_000),
        *("[" + "9" * 5000 + "]", '{"$unknown":1}', '{"$date":5}', '{"$date":"x"}', '{"$uuid":{}}'),
        *(
            '{"$datetime":""}',
            '{"$datetime":"x[UTC]"}',
            '{"$time":"01:00[Mars/X]"}',
            '{"$decimal":[]}',
        ),
        *(
            '{"$microseconds":1e300}',
            '{"$microseconds":"1"}',
            '{"$time":"01:00[../../etc/passwd]"}',
        ),
    ],
    ids=lambda text: text[:30],
)
def test_a_text_of_somebody_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        decode(text)

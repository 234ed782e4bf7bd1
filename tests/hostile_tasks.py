"""Errors that resist being recorded: whatever of them is touched answers with more trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

from django_agenda import task
from tests.tasks import Refusal


class StrIsNoText(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307


class EndlessWords(Exception):
    def __str__(self) -> str:
        return str(self)

    __repr__ = __str__


class Text(str):
    """A text that refuses to be cut, searched or encoded."""

    __slots__ = ()

    def __getitem__(self, place: Any) -> NoReturn:
        raise RuntimeError("not this one")

    replace = encode = __getitem__  # type: ignore[assignment]


class WordsThatRefuse(Exception):
    def __str__(self) -> str:
        return Text("hostile words")


class NothingIsTold(Exception):
    def __getattribute__(self, name: str) -> NoReturn:
        raise RuntimeError(f"{name} is nobody's business")


class TypeErrorThatTellsNothing(TypeError):
    def __getattribute__(self, name: str) -> NoReturn:
        raise RuntimeError(f"{name} is nobody's business")


class TimeoutErrorThatTellsNothing(TimeoutError):
    def __getattribute__(self, name: str) -> NoReturn:
        raise SystemExit(f"{name} is nobody's business")


class _NamelessKind(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__module__", "__qualname__", "__name__"):
            raise RuntimeError("no name")
        return super().__getattribute__(name)


class Nameless(Exception, metaclass=_NamelessKind):
    pass


class Vague(Exception):
    __module__ = 5  # type: ignore[assignment]


class Incomparable(Exception):
    def __eq__(self, other: object) -> NoReturn:
        raise RuntimeError("incomparable")

    def __hash__(self) -> NoReturn:
        raise RuntimeError("no hash")

    def __bool__(self) -> NoReturn:
        raise RuntimeError("neither true nor false")


class Liar(Exception):
    __class__ = property(lambda self: asyncio.CancelledError)


class HardToLeave(Exception):
    def __del__(self) -> None:
        raise RuntimeError("not yet")


class NoKey:
    def __repr__(self) -> NoReturn:
        raise KeyboardInterrupt


class NoNames:
    def __dir__(self) -> NoReturn:
        raise SystemExit(3)


def _with(error: BaseException, **attributes: Any) -> BaseException:
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def _ring() -> BaseException:
    one, other = Refusal("one"), Refusal("other")
    one.__cause__, other.__cause__ = other, one
    one.__context__, other.__context__ = other, one
    return one


def _nest(depth: int) -> BaseException:
    error: Exception = Refusal("the core")
    for _ in range(depth):
        error = ExceptionGroup("shell", [error])
    return error


def _named(name: str) -> BaseException:
    kind = type("Odd", (Exception,), {})
    kind.__qualname__ = name
    error: Exception = kind("an odd name")
    return error


KINDS: dict[str, Callable[[], BaseException]] = {
    "str is no text": StrIsNoText,
    "endless words": EndlessWords,
    "words that refuse": WordsThatRefuse,
    "nothing is told": NothingIsTold,
    "a type error that tells nothing": TypeErrorThatTellsNothing,
    "a time-out that tells nothing": TimeoutErrorThatTellsNothing,
    "nameless": Nameless,
    "vague": Vague,
    "incomparable": Incomparable,
    "liar": Liar,
    "hard to leave": HardToLeave,
    "10 MB": lambda: Refusal("é" * 10_000_000),
    "much in args": lambda: Refusal(*range(200_000)),
    "a key without words": lambda: KeyError(NoKey()),
    "an attribute of nobody": lambda: AttributeError("x", name="x", obj=NoNames()),
    "a syntax error of nowhere": lambda: SyntaxError("odd", ("\0\ud800", 2**70, -5, 7, 1, 1)),  # type: ignore[arg-type]
    "a ring": _ring,
    "its own cause": lambda: _with(error := Refusal("self"), __cause__=error, __context__=error),
    "deep groups": lambda: _nest(3_000),
    "a group with an interrupt": lambda: BaseExceptionGroup("g", [KeyboardInterrupt(), Refusal()]),
    "notes that are none": lambda: _with(Refusal("n"), __notes__=[5, NoKey(), "x" * 10**6]),
    "notes that are a number": lambda: _with(Refusal("n"), __notes__=5),
    "a name with a NUL": lambda: _named("a\0b"),
    "a name with a surrogate": lambda: _named("\ud800"),
    "a name of markup": lambda: _named("<script>alert(1)</script>\n\x1b[31m"),
    "memory": lambda: MemoryError("x" * 1000),
    "stop of an async iteration": StopAsyncIteration,
    "an exit with an object": lambda: SystemExit(NoKey()),
    "undecodable": lambda: UnicodeDecodeError("utf-8", b"\xff" * 10**6, 0, 10**6, "\ud800"),
}


@task
def raise_it(kind: str) -> NoReturn:
    error = KINDS[kind]()
    raise error


@task
async def raise_it_async(kind: str) -> NoReturn:
    await asyncio.sleep(0)
    error = KINDS[kind]()
    raise error


@task(timeout=30)
def raise_it_in_time(kind: str) -> NoReturn:
    error = KINDS[kind]()
    raise error


@task(max_attempts=2, backoff=0.001)
def raise_it_twice(kind: str) -> NoReturn:
    error = KINDS[kind]()
    raise error


@task(atomic=True)
def raise_it_together(kind: str) -> NoReturn:
    error = KINDS[kind]()
    raise error


@task
async def raise_it_in_a_child(kind: str) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_child(kind))


async def _child(kind: str) -> NoReturn:
    await asyncio.sleep(0)
    error = KINDS[kind]()
    raise error

"""By which arguments a policy tells its executions apart."""

from __future__ import annotations


def read_by(by: object) -> tuple[str, ...]:
    """Return the names of the arguments, from one name or several; None is none of them."""
    if by is None:
        return ()
    names = (by,) if isinstance(by, str) else by
    if not isinstance(names, tuple | list):
        raise TypeError(f"'by' must be the name of an argument, or several, not {by!r}")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"'by' must hold names of arguments, not {name!r}")
        if not name.isidentifier():
            raise ValueError(f"'by' must hold names of arguments, not {name!r}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"'by' must name each argument once, not {by!r}")
    return tuple(names)


def read_count(option: str, n: object, most: int) -> int:
    """Return a whole number from 1 to `most`, or raise naming the option."""
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"{option} must be a whole number, not {n!r}")
    if not 1 <= n <= most:
        raise ValueError(f"{option} must be from 1 to {most:_}, not {n}")
    return n

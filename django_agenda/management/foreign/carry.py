"""Make schedules of ours out of what was found, or say why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from django_agenda.exceptions import UnknownTask
from django_agenda.models import Schedule
from django_agenda.scheduling.define import find_or_write
from django_agenda.scheduling.definition import Definition, read_definition
from django_agenda.tasks.registry import resolve

from .found import Found, Left

CARRIED, THERE, LEFT = "carried", "there", "left"


class Carried(NamedTuple):
    """Say what became of one: its title, a word of the three above, and the details."""

    title: str
    fate: str
    words: str
    notes: tuple[str, ...] = ()


def carry(
    using: str,
    found: Iterable[Found | Left],
    names: Mapping[str, str],
    *,
    applies: bool,
    disabled: bool,
) -> Iterator[Carried]:
    """Carry one after the other; without `applies` nothing is written.

    What is there already, by its definition, is left as it is: so it may be repeated.
    """
    for one in found:
        if isinstance(one, Left):
            yield Carried(one.title, LEFT, one.why)
            continue
        try:
            definition = _definition(one, names, disabled=disabled)
        except UnknownTask as error:
            way = f"no task answers to {error.name!r}: --map {one.task_name}=its.new.name"
            yield Carried(one.title, LEFT, way)
        except (TypeError, ValueError) as error:
            yield Carried(one.title, LEFT, str(error))
        else:
            yield _written(using, one, definition, applies=applies)


def _definition(one: Found, names: Mapping[str, str], *, disabled: bool) -> Definition:
    options = dict(one.options)
    if disabled:
        options["enabled"] = False
    task = resolve(names.get(one.task_name, one.task_name))
    try:
        task.signature().bind(*options.get("args", ()), **options.get("kwargs", {}))
    except TypeError as error:
        raise TypeError(f"its arguments do not fit {task.name}: {error}") from None
    return read_definition(task, one.kind, one.rule, options)


def _written(using: str, one: Found, definition: Definition, *, applies: bool) -> Carried:
    if applies:
        schedule, is_new = find_or_write(using, definition)
    else:
        same = Schedule.objects.using(using).filter(fingerprint=definition.fingerprint).first()
        is_new = same is None
        schedule = same or Schedule(**definition.identity, **definition.options)
    words = f"{schedule.task_name}, {schedule.describe()}"
    if not definition.enabled:
        words += ", disabled"
    return Carried(one.title, CARRIED if is_new else THERE, words, tuple(one.notes))

"""Hold every call that matches, from now on, without losing any."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db import router

from django_agenda.conf import get_settings
from django_agenda.models.execution import Execution
from django_agenda.models.strike import Strike
from django_agenda.models.transactions import in_transaction
from django_agenda.policies.condition import Condition
from django_agenda.tasks.canonical import canonical
from django_agenda.tasks.payload import decode, encode_result
from django_agenda.tasks.registry import check_reference, resolve
from django_agenda.tasks.schedule_options import read_text
from django_agenda.tasks.task import Task

from .struck import Struck, calls_of

EQUAL = "=="
_MOST_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Hold by what a strike is known; `value` is what its JSON reads as."""

    task_name: str
    parameter: str
    operator: str
    value: Any
    fingerprint: str


def strike(
    task: Any = None,
    parameter: str | None = None,
    operator: str = EQUAL,
    value: Any = None,
    *,
    reason: str = "",
    by: str = "",
) -> Strike:
    """Hold every call of a task, or those whose argument meets a condition, until restore().

    Operators are `== != > >= < <= between`; `between` takes a pair, and both ends belong to it.
    Without a task it is a call of any task that has such an argument. Arguments count as they were
    given, or else by their defaults; a comparison that cannot be made is not met. Several strikes
    hold what any of them matches; the same one twice is one.

    What is scheduled from the commit on is held at once, what waits already when it comes due; what
    runs already runs to its end. Raises ValueError or UnknownTask, and saves nothing, for what can
    match nothing, and without both task and parameter: to hold everything, pause the queues.
    """
    return find_or_strike(task, parameter, operator, value, reason=reason, by=by)[0]


def find_or_strike(
    task: Any, parameter: Any, operator: Any, value: Any, *, reason: str, by: str
) -> tuple[Strike, bool]:
    """Do as strike() does, and tell whether the strike is new."""
    rule = _checked(task, parameter, operator, value)
    columns = {
        "task_name": rule.task_name,
        "parameter": rule.parameter,
        "operator": rule.operator,
        "value": rule.value,
        "reason": read_text("reason", reason, 300),
        "by": read_text("by", by, 255),
    }
    using = router.db_for_write(Strike)

    def write_down() -> tuple[Strike, bool]:
        strikes = Strike.objects.using(using)
        return strikes.get_or_create(fingerprint=rule.fingerprint, defaults=columns)

    return in_transaction(using, write_down)


def count_matching(task: Any, parameter: Any, operator: Any, value: Any) -> tuple[int, bool]:
    """Return how many wait by now that strike() would hold as they come due.

    And whether these are all: of conditions no more than 10 000 calls are looked at. Raises what
    strike() does, and changes nothing.
    """
    rule = _checked(task, parameter, operator, value)
    rows = Execution.objects.filter(
        status__in=Execution.WAITING, finished_at=None, held_by__in=Execution.UNASKED
    ).order_by()
    if rule.task_name:
        rows = rows.filter(task_name=rule.task_name)
    if not rule.parameter:
        return rows.count(), True
    struck = Struck.of(rule.task_name, rule.parameter, operator, rule.value)
    looked, found = 0, 0
    for call in calls_of(rows[: _MOST_LOOKED_AT + 1]):
        looked += 1
        found += bool(struck.holds(*call))
    return found, looked <= _MOST_LOOKED_AT


def _checked(task: Any, parameter: Any, operator: Any, value: Any) -> Rule:
    task = None if task is None else resolve(task)
    rule = read_rule(task, parameter, operator, value)
    if task is not None and rule.parameter and not task.has_argument(rule.parameter):
        raise ValueError(f"'parameter' names {parameter!r}, which is no argument of {task.name}")
    return rule


def read_rule(task: Any, parameter: Any, operator: Any, value: Any) -> Rule:
    """Check what is said of a strike; a task need not be known, or have such a parameter."""
    task_name = "" if task is None else _name_of(task)
    if parameter is None:
        if operator != EQUAL or value is not None:
            raise ValueError(f"'value' needs a 'parameter' to be compared with: {value!r:.80}")
        if not task_name:
            raise ValueError(
                "Neither 'task' nor 'parameter' is given, which would be every call: pause the"
                " queues instead, with pause_queue()"
            )
        value_text = "null"
    else:
        if not isinstance(parameter, str) or not parameter.isidentifier():
            raise ValueError(f"'parameter' must be the name of an argument, not {parameter!r:.80}")
        value_text = _encoded(value)
        Condition(operator=operator, value=decode(value_text))
    named = read_text("parameter", parameter or "", 255)
    known_by = json.dumps([task_name, named, operator, canonical(value_text)])
    return Rule(
        task_name=task_name,
        parameter=named,
        operator=operator,
        value=decode(value_text),
        fingerprint=sha256(known_by.encode()).hexdigest(),
    )


def _name_of(task: Any) -> str:
    check_reference(task)
    if isinstance(task, str):
        return read_text("task", task, 255)
    return task.name if isinstance(task, Task) else f"{task.__module__}.{task.__qualname__}"


def _encoded(value: Any) -> str:
    try:
        return encode_result(value, max_bytes=get_settings().MAX_PAYLOAD_BYTES)
    except (TypeError, ValueError) as error:
        reason = str(error).removeprefix("return value")
        raise ValueError(f"'value'{reason}") from None

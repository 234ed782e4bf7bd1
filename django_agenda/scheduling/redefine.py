"""Give a schedule another definition."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import F

from django_agenda.clock import now
from django_agenda.models.schedule import Schedule

from .define import first_tick
from .definition import Definition
from .wake import wake_after_commit


def redefine(schedule: Schedule, definition: Definition) -> None:
    """Write the definition down in place of the one that it has, and go on from now.

    Its runs, and how many there were, stay. Raises ValueError, and changes nothing, when another
    schedule says the same, or when somebody has changed this one since it was read.
    """
    using = schedule._state.db or "default"
    columns = {**definition.identity, **definition.options}
    grid = ("kind", "interval", "starts_at")
    is_same = all(columns.get(name) == getattr(schedule, name) for name in grid)
    if is_same and schedule.kind == Schedule.Kind.INTERVAL:
        # Whatever else has changed, it stays on its grid.
        columns["anchor"] = schedule.anchor
    for name, value in columns.items():
        setattr(schedule, name, value)
    schedule.ended_at = None
    next_at = first_tick(schedule) if definition.enabled else None
    changes = {
        **columns,
        "fingerprint": definition.fingerprint,
        "enabled": next_at is not None,
        "disabled_by": "",
        "ended_at": now() if definition.enabled and next_at is None else None,
        "error": "",
        "next_at": next_at,
    }
    same = Schedule.objects.using(using).filter(pk=schedule.pk, version=schedule.version)
    try:
        with transaction.atomic(using):
            if not same.update(version=F("version") + 1, **changes):
                raise ValueError("It was changed by somebody else meanwhile: look at it again.")
            wake_after_commit(using)
    except IntegrityError:
        raise ValueError("Another schedule says the same already.") from None

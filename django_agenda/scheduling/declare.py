"""Make schedules of what is declared in code, and rest those that no longer are."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F

from django_agenda.models.schedule import Schedule
from django_agenda.models.transactions import in_transaction
from django_agenda.models.unread import read_rows
from django_agenda.signals import schedule_refused
from django_agenda.tasks.recurring import Declaration, declared
from django_agenda.tasks.registry import belongs_to_an_app

from .define import find_or_write
from .definition import Definition, read_definition
from .disable import disable
from .enable import enable
from .wake import wake_after_commit


def declare(using: str, *, is_start: bool) -> int:
    """Bring the schedules in line with the declarations of this process; return how many changed.

    New ones are written; the options of the others follow the code, while `enabled` stays what
    somebody made of it. At the start of a worker those are disabled that this code no longer
    declares, but for tasks of apps that are not installed here: another service declares these.
    While releases change, two codes may disagree; so what one has disabled the other enables
    again, when it looks the next time.
    """
    definitions = {one.fingerprint: one for one in _definitions(declared())}
    ours = Schedule.objects.using(using)
    same = read_rows(ours.filter(fingerprint__in=definitions), *Schedule.PAYLOAD)
    known = {one.fingerprint: one for one in same}
    changed = 0
    for fingerprint, definition in definitions.items():
        schedule = known.get(fingerprint)
        if schedule is None:
            schedule, is_new = find_or_write(using, definition, is_declared=True)
            changed += is_new
        changed += _follow(using, schedule, definition)
    forgotten = ours.filter(disabled_by=Schedule.NOT_DECLARED, fingerprint__in=definitions)
    if forgotten.exists():
        changed += enable(forgotten)
    if is_start:
        gone = ours.filter(is_declared=True, enabled=True).exclude(fingerprint__in=definitions)
        names = gone.values_list("pk", "task_name")
        keys = [pk for pk, name in names if belongs_to_an_app(name.rpartition(".")[0])]
        changed += disable(ours.filter(pk__in=keys), reason=Schedule.NOT_DECLARED) if keys else 0
    return changed


def _definitions(declarations: Sequence[Declaration]) -> list[Definition]:
    found = []
    for one in declarations:
        try:
            found.append(read_definition(one.task, one.kind, one.rule, one.options))
        except (TypeError, ValueError) as error:
            # The worker has other things to do as well.
            schedule_refused.send_robust(Schedule, task_name=one.task.name, error=error)
    return found


def _follow(using: str, schedule: Schedule, definition: Definition) -> bool:
    """Take over the options where they differ, and all of it that cannot be decoded."""
    wanted = {**definition.options, "is_declared": True}
    unread = schedule.get_deferred_fields()
    wanted |= {name: definition.identity[name] for name in unread & definition.identity.keys()}
    changes = {
        name: new
        for name, new in wanted.items()
        if name in unread or getattr(schedule, name) != new
    }
    if not changes:
        return False

    def write_down() -> bool:
        same = Schedule.objects.using(using).filter(pk=schedule.pk, version=schedule.version)
        if not same.update(version=F("version") + 1, **changes):
            return False
        _recompute(using, schedule.pk)
        return True

    return in_transaction(using, write_down)


def _recompute(using: str, key: int) -> None:
    """Put the next tick between the new start and end."""
    schedule = Schedule.objects.using(using).defer(*Schedule.PAYLOAD).get(pk=key)
    if schedule.next_at is None:
        return
    is_early = schedule.starts_at is not None and schedule.next_at < schedule.starts_at
    is_late = schedule.ends_at is not None and schedule.next_at > schedule.ends_at
    if is_early or is_late:
        next_at = schedule.tick_after(schedule.next_at)
        Schedule.objects.using(using).filter(pk=key).update(next_at=next_at)
    wake_after_commit(using)

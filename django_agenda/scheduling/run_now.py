"""Run what a schedule runs, besides its ticks."""

from __future__ import annotations

from functools import partial

from django.db import router, transaction

from django_agenda.clock import now
from django_agenda.models.execution import Execution
from django_agenda.models.schedule import Schedule
from django_agenda.models.transactions import in_transaction

from .enqueue import tell
from .fire import plan_of, runnable_of
from .write import Tick, write


def run_now(schedule: Schedule) -> Execution:
    """See Schedule.run_now()."""
    using = schedule._state.db or router.db_for_write(Schedule)
    runnable, _ = runnable_of(schedule)

    def write_down() -> str:
        plan = plan_of(schedule, runnable, now())
        written = write(using, [plan], ticks=[Tick(schedule, None)])
        entries = [plan.entry(id_) for id_ in written.ids if id_ not in written.held]
        transaction.on_commit(partial(tell, [], entries), using=using)
        return written.ids[0]

    return Execution.objects.using(using).get(pk=in_transaction(using, write_down))

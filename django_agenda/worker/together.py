"""`@task(atomic=True)`: commit the body's effects and its outcome together, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from django.db import Error, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_agenda.models.execution import Execution
from django_agenda.signals import trouble_began

from .claim import FENCED, Claim, Outcome, Recorded
from .record import record
from .trouble import WORKER


def run_together(claim: Claim, body: Callable[[], Outcome]) -> Outcome:
    """Run the body in a transaction of the executions' database, and record its outcome there.

    Whoever was declared lost meanwhile matches no row with its outcome, and so leaves no effect in
    that database: they happen exactly once, however often the body runs. What the body raises is
    raised after the rollback.
    """
    using = router.db_for_write(Execution)
    committed: list[bool] = []
    recorded = Recorded(set(), [], set())
    outcome: Outcome | None = None
    try:
        with transaction.atomic(using, durable=True):
            # Before the body's own hooks, so that none of them can hide the commit.
            transaction.on_commit(lambda: committed.append(True), using=using)
            outcome = body()
            recorded = record(using, claim.lease.worker, [outcome])
            if not recorded.taken:
                transaction.set_rollback(True, using=using)
    except BaseException as error:
        if not committed:
            raise
        trouble_began.send_robust(Execution, part=WORKER, error=error)
    else:
        if recorded.taken and not committed:
            raise transaction.TransactionManagementError(
                "It left a transaction open, so nothing of it was committed"
            )
    assert outcome is not None  # noqa: S101
    status = outcome.status if recorded.taken else FENCED
    return replace(outcome, status=status, recorded=recorded)


def tidy() -> None:
    """Close this thread's connections that are broken, too old, or left inside a transaction."""
    for connection in connections.all(initialized_only=True):
        try:
            _tidy(connection)
        except Error:
            # Some drivers complain when what is broken is closed.
            del connections[connection.alias]


def _tidy(connection: BaseDatabaseWrapper) -> None:
    blocks = connection.atomic_blocks
    if blocks and not getattr(blocks[-1], "_from_testcase", False):
        # What it had not committed is rolled back; the next use connects anew.
        if connection.connection is not None:
            with connection.wrap_database_errors:
                connection.connection.close()
        del connections[connection.alias]
    else:
        connection.close_if_unusable_or_obsolete()

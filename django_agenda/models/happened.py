"""When it happened what an execution's error says, as SQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, DateTimeField, F, Func, Max, Q, When
from django.db.models.functions import Coalesce

from .execution import Execution

# A machine whose clock was put right may have measured anything.
_MOST_RUN_MS = 10 * 365 * 86_400_000


def happened() -> Case:
    """Return the SQL for the end of the attempt that met the error which a row has.

    Of what was refused it is when the row was written. What runs again keeps the error of the
    attempt before, which ended before this one was due.
    """
    ended = Q(started_at__isnull=False, run_ms__range=(0, _MOST_RUN_MS))
    return Case(
        When(finished_at__isnull=False, then=F("finished_at")),
        When(status=Execution.Status.RUNNING, then=F("due_at")),
        When(status=Execution.Status.PENDING, then=F("created_at")),
        When(ended, then=_End(F("started_at"), F("run_ms"))),
        default=Coalesce("started_at", "created_at"),
        output_field=DateTimeField(),
    )


def latest(moment: str) -> Max:
    """Return the SQL for whose `moment` is the last of a group: id_of() reads the id out of it.

    By their ids alone nobody knows: those of one batch are made at once, and fail much later.
    """
    return Max(_MomentAndId(moment, "pk"))


def id_of(found: str) -> UUID:
    """Return the id in what latest() found."""
    return UUID(found.rpartition(" ")[2])


class _MomentAndId(Func):
    """Join both as a text that sorts by the moment: a space comes before every sign of either."""

    output_field = CharField()
    arg_joiner = "::text || ' ' || "
    # Other collations pass over spaces and points.
    template = '((%(expressions)s::text) COLLATE "C")'

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Use what SQLite has: moments and ids are texts, and sort by their bytes."""
        joined = {"template": "(%(expressions)s)", "arg_joiner": " || ' ' || "}
        return self.as_sql(compiler, connection, **joined, **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Use what MariaDB and MySQL have."""
        joined = {"template": "CONCAT(%(expressions)s)", "arg_joiner": ", ' ', "}
        return self.as_sql(compiler, connection, **joined, **context)


class _End(Func):
    """Add milliseconds to a moment; exact to one."""

    output_field = DateTimeField()
    arg_joiner = " + "
    template = "(%(expressions)s * INTERVAL '1 millisecond')"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Use what SQLite has: moments are texts."""
        written = "strftime('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', {})"
        template = written.format("%(expressions)s / 1000.0) || ' seconds'")
        return self.as_sql(compiler, connection, template=template, arg_joiner=", (", **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        """Use what MariaDB and MySQL have."""
        template, plus = "(%(expressions)s * 1000 MICROSECOND)", " + INTERVAL "
        return self.as_sql(compiler, connection, template=template, arg_joiner=plus, **context)

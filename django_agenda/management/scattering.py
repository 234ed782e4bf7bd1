"""Scatter what a text says, or show when it would run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import IO, Any

from django.core.management.base import CommandError
from django.db import reset_queries, router

from django_agenda.agenda import Agenda
from django_agenda.clock import now
from django_agenda.models import Batch
from django_agenda.scheduling.scatter import Options
from django_agenda.timing.spread import spread
from django_agenda.timing.window import Window

from .call_lines import CallLines

_SHOWN = 5


def read_agenda(stream: IO[str], task: str | None, count: int | None) -> Agenda:
    """Return an agenda of the text's calls, in constant memory.

    Without a count every line is read and checked first, and the stream must be `rewindable`.
    With one it is read once, while it is scattered.
    """
    if count is None:
        first = CallLines(stream, task)
        deque(first, maxlen=0)
        count = first.read
        stream.seek(0)
    try:
        return Agenda(iter(CallLines(stream, task)), count=count)
    except ValueError as error:
        raise CommandError(f"{error}\nNothing was written.") from error


def scattered(agenda: Agenda, over: timedelta, **options: Any) -> str:
    """Scatter it, and say what came of that."""
    written: list[int] = []
    show = options.pop("progress")

    def progress(done: int, total: int) -> None:
        written[:] = [done]
        # With DEBUG, Django keeps every statement, and these are long.
        reset_queries()
        show(done, total)

    total = len(agenda)
    try:
        batch = agenda.scatter(over, progress=progress, **options)
    except (ValueError, TypeError) as error:
        raise CommandError(f"{error}\nNothing was written.") from error
    if total and not written:
        return f"Batch {batch.pk} with the key {batch.key!r} is alive; nothing was added."
    return _told(batch)


def plan(agenda: Agenda, over: timedelta, **options: Any) -> Iterator[str]:
    """Check all that `scattered` takes, and say when it would run; write nothing."""
    start = options["start"] or now()
    spreading = {name: options[name] for name in ("jitter", "strategy", "seed")}
    try:
        window = Window(start=start, over=over)
        slots = spread(len(agenda), window, **spreading)
        Options.read(**{name: value for name, value in options.items() if name != "start"})
    except (ValueError, TypeError) as error:
        raise CommandError(str(error)) from error
    if key := options["key"]:
        living = Batch.objects.using(router.db_for_write(Batch)).filter(live_key=key).first()
        if living is not None:
            yield f"Batch {living.pk} with the key {key!r} is alive; nothing would be added."
            return
    moments = (window.at(slot.planned_us) for slot in slots)
    first = list(islice(moments, _SHOWN))
    last = deque(moments, maxlen=_SHOWN)
    yield f"{_counted(len(agenda))} from {_shown(start)} to {_shown(start + over)}:"
    yield from (f"  {_shown(one)}" for one in first)
    if len(agenda) > 2 * _SHOWN:
        yield "  ..."
    yield from (f"  {_shown(one)}" for one in last)
    yield "Nothing was written."


def _told(batch: Batch) -> str:
    words = f"Batch {batch.pk}: {_counted(batch.total)}"
    if batch.total:
        words += f" from {_shown(batch.start)} to {_shown(batch.end)}"
    if batch.skipped:
        words += f"; {batch.skipped:,} skipped, because their keys are alive"
    if batch.pending:
        words += f"; {batch.pending:,} pending, which workers enqueue once Redis answers"
    return f"{words}."


def _counted(count: int) -> str:
    return f"{count:,} execution{'' if count == 1 else 's'}"


def _shown(moment: datetime) -> str:
    return moment.isoformat(" ", "milliseconds")

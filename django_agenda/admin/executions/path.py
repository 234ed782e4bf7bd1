"""The way of an execution from its plan to its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_agenda.admin import states, wording
from django_agenda.models.execution import Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Hold one point of the path from the plan to the end, and how long it took to get there."""

    title: str
    when: SafeString | str
    note: str
    slug: str
    way: str = ""
    is_ahead: bool = False


def path_of(execution: Execution, moment: datetime) -> list[Stop]:
    """Return its points in order; what lies ahead is marked."""
    stops = [
        Stop(
            title=_("Created"),
            when=wording.time_tag(execution.created_at, moment, exact=True),
            note="",
            slug="scheduled",
        ),
        Stop(
            title=_("Due"),
            when=wording.time_tag(execution.due_at, moment, exact=True),
            note="" if execution.due_at <= moment else wording.distance(execution.due_at, moment),
            slug="due",
            way=_way(execution.created_at, execution.due_at),
            is_ahead=execution.due_at > moment,
        ),
    ]
    if execution.started_at is not None:
        lag = execution.lag_ms
        stops.append(
            Stop(
                title=_("Started"),
                when=wording.time_tag(execution.started_at, moment, exact=True),
                note=execution.worker,
                slug="running",
                way="" if lag is None else f"+{wording.duration(lag)}",
            )
        )
    state = states.of_execution(execution, moment)
    if execution.finished_at is not None:
        run = execution.run_ms
        stops.append(
            Stop(
                title=str(state.label).capitalize(),
                when=wording.time_tag(execution.finished_at, moment, exact=True),
                note="",
                slug=state.slug,
                way="" if run is None else wording.duration(run),
            )
        )
    return stops


def _way(begin: datetime, end: datetime) -> str:
    return wording.duration((end - begin).total_seconds() * 1000) if end > begin else ""

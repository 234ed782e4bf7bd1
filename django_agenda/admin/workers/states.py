"""What a worker does, what is wanted of it, and which of them matter now."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from django_agenda.admin.states import SILENT, WORKERS, State
from django_agenda.admin.wording import distance
from django_agenda.conf import get_settings
from django_agenda.models.fleet import Fleet
from django_agenda.models.worker import Worker

_MOST = 500
_RECENTLY = timedelta(hours=1)


def state_of(worker: Worker, moment: datetime) -> State:
    """Return what a worker does; one that missed two heartbeats is silent, and then lost."""
    if worker.status not in Worker.LIVING:
        return WORKERS[worker.status]
    silence = moment - worker.beat_at
    if silence > get_settings().WORKER_TTL:
        return WORKERS[Worker.Status.LOST]
    return SILENT if silence > 2 * get_settings().HEARTBEAT else WORKERS[worker.status]


def wish_of(worker: Worker, moment: datetime) -> str:
    """Return what a worker was asked for and does not do yet: "quiet asked for 2 s ago"."""
    if worker.requested_at is None or worker.status not in Worker.AT_WORK:
        return ""
    does = "" if worker.status == Worker.Status.ACTIVE else worker.status
    if worker.requested == does:
        return ""
    words = {
        Worker.Request.QUIET: _("quiet asked for %(when)s"),
        Worker.Request.STOP: _("stop asked for %(when)s"),
    }
    said = words.get(Worker.Request(worker.requested)) if worker.requested else None
    when = distance(min(worker.requested_at, moment), moment)
    return (said or _("resume asked for %(when)s")) % {"when": when}


def recent_workers(rows: QuerySet[Worker], moment: datetime) -> tuple[list[Worker], list[Worker]]:
    """Return those that live, and those that ended within an hour: one statement."""
    since = moment - _RECENTLY
    is_recent = Q(status__in=Worker.LIVING) | Q(stopped_at__gte=since) | Q(beat_at__gte=since)
    found = list(rows.filter(is_recent).order_by("status", "name", "pk")[:_MOST])
    silent_since = moment - get_settings().WORKER_TTL
    living = [one for one in found if one.status in Worker.LIVING and one.beat_at >= silent_since]
    names = {one.pk for one in living}
    return living, [one for one in found if one.pk not in names]


def leader(moment: datetime) -> object:
    """Return the id of the worker that does the chores, if one does: one statement."""
    led = Fleet.objects.filter(pk=Fleet.THE_ONE, leader_until__gte=moment)
    return led.values_list("leader", flat=True).first()

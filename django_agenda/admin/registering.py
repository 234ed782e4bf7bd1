"""Our pages on an admin site of the project's own."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model

from django_agenda.models.batch import Batch
from django_agenda.models.error_group import ErrorGroup
from django_agenda.models.execution import Execution
from django_agenda.models.operation import Operation
from django_agenda.models.overview import Overview
from django_agenda.models.queue import Queue
from django_agenda.models.schedule import Schedule
from django_agenda.models.strike import Strike
from django_agenda.models.worker import Worker

from .batches.view import BatchAdmin
from .errors.view import ErrorGroupAdmin
from .executions.view import ExecutionAdmin
from .operations.view import OperationAdmin
from .overview.view import OverviewAdmin
from .queues.view import QueueAdmin
from .schedules.view import ScheduleAdmin
from .strikes.view import StrikeAdmin
from .workers.view import WorkerAdmin

_PAGES: dict[type[Model], type[admin.ModelAdmin]] = {  # type: ignore[type-arg]
    Overview: OverviewAdmin,
    Batch: BatchAdmin,
    Execution: ExecutionAdmin,
    ErrorGroup: ErrorGroupAdmin,
    Schedule: ScheduleAdmin,
    Strike: StrikeAdmin,
    Worker: WorkerAdmin,
    Queue: QueueAdmin,
    Operation: OperationAdmin,
}


def register_on(site: admin.AdminSite) -> None:
    """Register every page of this app on another admin site than the default one.

    A model that is registered there already stays as it is: register your own subclass first.
    """
    for model, page in _PAGES.items():
        if not site.is_registered(model):
            site.register(model, page)

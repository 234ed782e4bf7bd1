"""A name for the page of queues and health, so that it has rights and a menu entry."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .paused_queue import PausedQueue


class Queue(PausedQueue):
    """Stand for the queues in the admin; there is a row only while one is paused."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        permissions = (("repair_agenda", "Can make Redis, rows and counts agree"),)
        verbose_name = _("queue")
        verbose_name_plural = _("queues and health")

"""The app: system checks, log lines, and the discovery of `tasks` modules."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class DjangoAgendaConfig(AppConfig):
    """Make ready without any I/O."""

    name = "django_agenda"
    verbose_name = _("Agenda")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register checks and log lines, then import every installed app's `tasks` module."""
        from . import checks, logs  # noqa: F401

        autodiscover_modules("tasks")

"""System checks: what would go wrong later is said at start-up, with a hint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_agenda.broker.connection import address
from django_agenda.conf import Settings, read_settings

_LEAST_LOOKS = 20


@register("django_agenda")
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report what is wrong in DJANGO_AGENDA (E001, E002, E004, W001), or USE_TZ (E003)."""
    found, errors = read_settings()
    hint = "The page Settings, in the reference of the documentation, lists every key."
    problems: list[CheckMessage] = [
        Error(str(error), hint=hint, id="django_agenda.E001") for error in errors
    ]
    if not any("'REDIS'" in str(error) for error in errors):
        problems += _check_redis(found)
    problems += _check_horizon(found)
    problems += _check_redact(found)
    if not settings.USE_TZ:
        problems.append(
            Error(
                "django_agenda needs USE_TZ = True: a moment without a zone cannot be scheduled.",
                hint="Set USE_TZ = True in the settings.",
                id="django_agenda.E003",
            )
        )
    return problems


def names_redis() -> bool:
    """Tell whether the project says where its Redis is, rightly or wrongly."""
    if "REDIS" in getattr(settings, "DJANGO_AGENDA", {}):
        return True
    return not _check_redis(read_settings()[0])


def _check_redis(found: Settings) -> list[CheckMessage]:
    try:
        address(found)
    except ImproperlyConfigured as error:
        hint = "For example DJANGO_AGENDA = {'REDIS': 'redis://localhost:6379/0'}."
        return [Error(str(error), hint=hint, id="django_agenda.E002")]
    return []


def _check_redact(found: Settings) -> list[CheckMessage]:
    if found.REDACT is None:
        return []
    try:
        words = "" if callable(import_string(found.REDACT)) else "it cannot be called"
    except Exception as error:  # noqa: BLE001
        words = str(error)
    if not words:
        return []
    return [
        Error(
            f"DJANGO_AGENDA['REDACT'] is {found.REDACT!r}: {words}. Until it is right, every"
            " argument and result is hidden.",
            hint="Name a function that takes a name, and tells whether its value is secret.",
            id="django_agenda.E004",
        )
    ]


def _check_horizon(found: Settings) -> list[CheckMessage]:
    if found.HORIZON is None or found.HORIZON >= _LEAST_LOOKS * found.CARETAKER_INTERVAL:
        return []
    return [
        Caution(
            f"DJANGO_AGENDA['HORIZON'] is {found.HORIZON}: that is so little that executions may"
            " be due before the caretaker has told Redis of them.",
            hint=f"Give it at least {_LEAST_LOOKS} times CARETAKER_INTERVAL, better an hour.",
            id="django_agenda.W001",
        )
    ]

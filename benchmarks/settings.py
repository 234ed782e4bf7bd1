"""Settings of the benchmarks; engine.py starts the servers and names them in the environment."""

from __future__ import annotations

import os

SECRET_KEY = "only for benchmarks"
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_agenda",
    "benchmarks",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASES: dict[str, dict[str, object]]
if os.environ["AGENDA_BENCH_DB"] == "postgres":
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "bench",
            "USER": "agenda",
            "HOST": os.environ["AGENDA_BENCH_PLACE"],
            "CONN_MAX_AGE": None,
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{os.environ['AGENDA_BENCH_PLACE']}/bench.sqlite3",
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    }

DJANGO_AGENDA: dict[str, object] = {"REDIS": os.environ["AGENDA_BENCH_REDIS"], "PREFIX": "bench"}
if "AGENDA_BENCH_SHORT_LEASES" in os.environ:
    DJANGO_AGENDA |= {"WORKER_TTL": 2, "HEARTBEAT": 0.5, "CARETAKER_INTERVAL": 0.5}

if "AGENDA_BENCH_ADMIN" in os.environ:
    from tests import settings as admin

    INSTALLED_APPS = [*admin.INSTALLED_APPS, "benchmarks"]
    MIDDLEWARE, TEMPLATES = admin.MIDDLEWARE, admin.TEMPLATES
    ROOT_URLCONF, STATIC_URL, ALLOWED_HOSTS = admin.ROOT_URLCONF, admin.STATIC_URL, ["*"]

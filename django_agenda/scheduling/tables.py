"""Tell whether the tables are there, when the database has refused something."""

from __future__ import annotations

from django.db import DatabaseError, InterfaceError, connections
from django.db.migrations.loader import MigrationLoader

_APP = "django_agenda"


def lacking_migrations(using: str) -> list[str]:
    """Return the names of our migrations that were not applied."""
    loader = MigrationLoader(connections[using])
    ours = {key for key in loader.disk_migrations if key[0] == _APP}
    return sorted(name for _, name in ours - set(loader.applied_migrations))


def explained(using: str, error: DatabaseError | InterfaceError) -> Exception:
    """Return the error, or one that names what to do when migrations are lacking."""
    try:
        lacking = lacking_migrations(using)
    except (DatabaseError, InterfaceError):
        return error
    if not lacking:
        return error
    names = ", ".join(lacking)
    return DatabaseError(f"{error}; `manage.py migrate` was not run: {names} is not applied")

"""What a command says when the database cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError

from django_agenda.scheduling.tables import explained

UNAVAILABLE = 2


@contextmanager
def in_a_sentence(using: str) -> Iterator[None]:
    """End the command with one sentence, and 2, instead of a traceback."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        words = " ".join(str(explained(using, error)).split())
        sentence = f"The database cannot be used: {words}."
        raise CommandError(sentence, returncode=UNAVAILABLE) from error

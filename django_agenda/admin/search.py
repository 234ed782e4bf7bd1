"""What a search among the executions means: each kind of term is looked for where an index is."""

from __future__ import annotations

import re
from uuid import UUID

from django.db.models import Q

from django_agenda.models.execution_set import ExecutionQuerySet
from django_agenda.models.worker import Worker
from django_agenda.tasks.registry import registered

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_HAS_ERROR = Q(error_fingerprint__gt="")


def search(rows: ExecutionQuerySet, words: str) -> ExecutionQuerySet:
    """Return those that the words mean; `key:`, `task:`, `worker:` and `error:` say what they are.

    Without one of these they are the number of an execution, a fingerprint, the name of a task or a
    worker that is known here, or else a key.
    """
    words = words.strip()
    if not words:
        return rows
    kind, colon, rest = words.partition(":")
    if colon and kind in _KINDS:
        return rows.filter(_KINDS[kind](rest.strip()))
    return rows.filter(_guess(words))


def _guess(words: str) -> Q:
    try:
        return Q(pk=UUID(words))
    except ValueError:
        pass
    if _FINGERPRINT.fullmatch(words):
        return _fingerprint(words) | Q(key=words)
    if words in registered():
        return Q(task_name=words)
    if Worker.objects.filter(name=words).exists():
        return Q(worker=words)
    return Q(key=words)


def _fingerprint(words: str) -> Q:
    return Q(error_fingerprint=words) & _HAS_ERROR


def _error(words: str) -> Q:
    if _FINGERPRINT.fullmatch(words):
        return _fingerprint(words)
    return _HAS_ERROR & (Q(error_class__icontains=words) | Q(error_message__icontains=words))


_KINDS = {
    "key": lambda words: Q(key=words),
    "task": lambda words: Q(task_name=words),
    "worker": lambda words: Q(worker=words),
    "error": _error,
}

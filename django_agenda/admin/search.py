"""What a search among executions or batches means: each term is looked for where an index is."""

from __future__ import annotations

import json
import re
from uuid import UUID

from django.db.models import Q, QuerySet

from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.execution_set import ExecutionQuerySet
from django_agenda.models.labels import having_labels
from django_agenda.models.worker import Worker
from django_agenda.tasks.registry import registered

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_DIGITS = 18
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


def search_batches(rows: QuerySet[Batch], words: str) -> QuerySet[Batch]:
    """Return the batches that the words mean; `key:` and `label:` are their own.

    `task:`, `worker:` and `error:` are about their executions. Without one of these the words are a
    number or a key, which have an index, or else a label or a part of a name.
    """
    words = words.strip()
    if not words:
        return rows
    kind, colon, rest = words.partition(":")
    if colon and kind == "key":
        return rows.filter(key=rest.strip())
    if colon and kind == "label":
        return having_labels(rows, [rest.strip()])
    if colon and kind in _KINDS:
        return rows.filter(of_members(_KINDS[kind](rest.strip())))
    exact = Q(key=words)
    if words.isascii() and words.isdigit() and len(words) < _DIGITS:
        exact |= Q(pk=int(words))
    if Batch.objects.filter(exact).exists():
        return rows.filter(exact)
    label = json.dumps(words, ensure_ascii=False)
    return rows.filter(Q(name__icontains=words) | Q(labels__contains=label))


def of_members(condition: Q) -> Q:
    """Return a condition on batches: one of their executions fits."""
    members = Execution.objects.filter(condition, batch__isnull=False)
    return Q(pk__in=members.order_by().values("batch"))

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


def search(rows: ExecutionQuerySet, words: str, *, payload: bool) -> ExecutionQuerySet:
    """Return those that the words mean; `key:`, `task:`, `worker:` and `error:` say what they are.

    Without one of these they are the number of an execution, a fingerprint, the name of a task or a
    worker that is known here, or else a key. The words of an error are looked at for those alone
    who may see payloads: they name arguments, and would tell them one letter at a time.
    """
    words = words.strip()
    if not words:
        return rows
    kind, colon, rest = words.partition(":")
    if colon and kind in _KINDS:
        return rows.filter(_meant(kind, rest.strip(), payload=payload))
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


def _error(words: str, *, payload: bool) -> Q:
    if _FINGERPRINT.fullmatch(words):
        return _fingerprint(words)
    found = Q(error_class__icontains=words)
    if payload:
        found |= Q(error_message__icontains=words)
    return _HAS_ERROR & found


def _meant(kind: str, words: str, *, payload: bool) -> Q:
    return _error(words, payload=payload) if kind == "error" else Q(**{_KINDS[kind]: words})


_KINDS = {"key": "key", "task": "task_name", "worker": "worker", "error": ""}


def search_batches(rows: QuerySet[Batch], words: str, *, payload: bool) -> QuerySet[Batch]:
    """Return the batches that the words mean; `key:` and `label:` are their own.

    `task:`, `worker:` and `error:` are about their executions, see search(). Without one of these
    the words are a number or a key, which have an index, or else a label or a part of a name.
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
        return rows.filter(of_members(_meant(kind, rest.strip(), payload=payload)))
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

"""Go on with a batch that the broker has not wholly taken."""

from __future__ import annotations

from functools import partial

from django.db import transaction

from django_agenda.models.batch import Batch

from .enqueue import enqueue_batch


def resume(batch: Batch) -> None:
    """Enqueue what is pending or was never told, after the commit of a running transaction."""
    using = batch._state.db or "default"
    transaction.on_commit(partial(enqueue_batch, using, batch.pk), using=using)

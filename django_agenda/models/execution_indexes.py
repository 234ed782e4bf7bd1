"""How executions are found: each index costs every insert, so most cover few rows."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from .fields import SparseIndex, SparseUnique

# Not unique=True, which on PostgreSQL brings a second index for LIKE.
CONSTRAINTS = (
    models.UniqueConstraint(fields=("live_key",), name="agenda_exec_live_key"),
    SparseUnique(
        "schedule",
        "tick_at",
        name="agenda_exec_tick",
        where=Q(schedule__isnull=False),
    ),
)

INDEXES = (
    models.Index(fields=("batch", "position"), name="agenda_exec_position"),
    models.Index(fields=("batch", "planned_offset_ms", "status"), name="agenda_exec_histogram"),
    models.Index(fields=("batch", "status", "planned_offset_ms"), name="agenda_exec_outcome"),
    SparseIndex(
        "batch",
        "error_fingerprint",
        name="agenda_exec_errors",
        where=~Q(error_fingerprint=""),
    ),
    SparseIndex("status", "due_at", name="agenda_exec_due", where=Q(finished_at__isnull=True)),
    # With the batch in it: otherwise SQLite takes another index, and reads all of them.
    SparseIndex("batch", "due_at", name="agenda_exec_single", where=Q(batch__isnull=True)),
    # For the lists of the admin: the few among many.
    SparseIndex(
        "status",
        "id",
        name="agenda_exec_trouble",
        where=Q(status__in=("failed", "missed", "cancelled", "skipped")),
    ),
    SparseIndex(
        "error_fingerprint",
        "id",
        name="agenda_exec_kind",
        where=Q(error_fingerprint__gt=""),
    ),
    SparseIndex("lag_ms", name="agenda_exec_late", where=Q(lag_ms__gt=1000)),
    SparseIndex("held_by", name="agenda_exec_held", where=~Q(held_by="")),
    SparseIndex(
        "gate",
        "held_by",
        "-priority",
        "due_at",
        name="agenda_exec_gate",
        where=Q(gate__isnull=False),
    ),
    SparseIndex("moved_by", "due_at", name="agenda_exec_moved", where=Q(moved_by__isnull=False)),
    SparseIndex("key", name="agenda_exec_key", where=Q(key__isnull=False)),
    SparseIndex("parent", "batch", name="agenda_exec_parent", where=Q(parent__isnull=False)),
    SparseIndex(
        "schedule",
        "status",
        name="agenda_exec_schedule",
        where=Q(schedule__isnull=False, finished_at__isnull=True),
    ),
    SparseIndex("callback_of", name="agenda_exec_callback", where=Q(callback_of__isnull=False)),
)

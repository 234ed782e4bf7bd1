"""What led to an execution, and what came of it: chains, fan-outs, and the batches it scattered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from django_agenda.admin import states, wording
from django_agenda.admin.states import State
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.execution_set import ExecutionQuerySet

if TYPE_CHECKING:
    from django_agenda.admin.acting import ActingAdmin

MOST = 10
_FURTHEST = 5
_MOST_COUNTED = 1000
_READ = (
    *("id", "key", "task_name", "status", "held_by", "attempts", "due_at", "parent_id"),
    "batch_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """Hold one execution or batch as it is shown; `size` counts a batch's executions."""

    name: str
    url: str
    state: State
    due: SafeString | str
    size: str = ""
    is_this: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Hold the line in which an execution stands, and its fan-out; `is_cut`: it began earlier."""

    line: list[Relative]
    is_cut: bool
    children: list[Relative]
    count: str
    all_url: str


def family_of(
    admin: ActingAdmin, request: HttpRequest, execution: Execution, moment: datetime
) -> Family | None:
    """Read a bounded number of its relatives; None when it has none that this user may see."""
    rows = admin.executions(request).only(*_READ)
    before, is_cut = _before(rows, execution)
    batches = _batches(admin, request, execution)
    counted, children = _children(rows, execution)
    after: list[Execution] = []
    if counted == 1 and not batches:
        after = _after(rows, children[0])
        children, counted = [], 0
    if not before and not batches and not children and not after:
        return None
    line = [_shown(admin, one, moment) for one in before]
    line.append(_shown(admin, execution, moment, is_this=True))
    line += [_shown(admin, one, moment) for one in after]
    found = [_shown_batch(admin, one, moment) for one in batches[:MOST]]
    found += [_shown(admin, one, moment) for one in children]
    query = urlencode({"parent": execution.pk})
    return Family(
        line=line if before or after else [],
        is_cut=is_cut,
        children=found,
        count=_words(batches, counted),
        all_url=f"{admin.list_url(Execution)}?{query}" if found else "",
    )


def _before(rows: ExecutionQuerySet, execution: Execution) -> tuple[list[Execution], bool]:
    """Return its ancestors, the eldest first, and whether there are more."""
    found: list[Execution] = []
    one: Execution | None = execution
    while one is not None and one.parent_id is not None:
        if len(found) == _FURTHEST:
            return found, True
        one = rows.filter(pk=one.parent_id).first()
        if one is not None:
            found.insert(0, one)
    return found, False


def _after(rows: ExecutionQuerySet, child: Execution) -> list[Execution]:
    """Return an only child and its descendants, for as long as each has one and no batch."""
    found = [child]
    while len(found) < _FURTHEST:
        next_ones = list(rows.filter(parent=found[-1]).order_by("pk")[:2])
        if len(next_ones) != 1 or next_ones[0].batch_id is not None:
            break
        found.append(next_ones[0])
    return found


def _children(rows: ExecutionQuerySet, execution: Execution) -> tuple[int, list[Execution]]:
    """Return how many it scheduled one by one, up to a limit, and the first of them."""
    single = rows.filter(parent=execution, batch__isnull=True).order_by("pk")
    first = list(single[: MOST + 1])
    if len(first) <= MOST:
        return len(first), first
    counted = len(single.values_list("pk")[: _MOST_COUNTED + 1])
    return counted, first[:MOST]


def _batches(admin: ActingAdmin, request: HttpRequest, execution: Execution) -> list[Batch]:
    if not admin.can_see(request, Batch):
        return []
    batches = admin.admin_site.get_model_admin(Batch).get_queryset(request)
    return list(batches.filter(parent=execution).order_by("pk").defer("rollup")[: MOST + 1])


def _words(batches: list[Batch], counted: int) -> str:
    """Say how many there are, of both kinds."""
    parts = []
    if many := len(batches):
        words = ngettext("%(count)s batch", "%(count)s batches", many)
        parts.append(words % {"count": _at_most(many, MOST)})
    if counted:
        words = ngettext("%(count)s execution", "%(count)s executions", counted)
        parts.append(words % {"count": _at_most(counted, _MOST_COUNTED)})
    return " + ".join(parts)


def _at_most(number: int, limit: int) -> str:
    return f"{wording.count(limit)}+" if number > limit else wording.count(number)


def _shown(
    admin: ActingAdmin, row: Execution, moment: datetime, *, is_this: bool = False
) -> Relative:
    task = wording.short_task(row.task_name)
    return Relative(
        name=f"{task} · {row.key}" if row.key else task,
        url="" if is_this else admin.url_of(row),
        state=states.of_execution(row, moment),
        due=wording.time_tag(row.due_at, moment),
        is_this=is_this,
    )


def _shown_batch(admin: ActingAdmin, batch: Batch, moment: datetime) -> Relative:
    return Relative(
        name=str(batch),
        url=admin.url_of(batch),
        state=states.of_batch(batch),
        due=wording.time_tag(batch.start, moment),
        size=wording.count(batch.total),
    )

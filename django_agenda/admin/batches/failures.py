"""The table of a batch's failure groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.safestring import SafeString

from django_agenda.admin import charts, wording
from django_agenda.admin.actions.buttons import Button
from django_agenda.admin.span import MILLISECOND
from django_agenda.admin.states import OUTCOMES, State
from django_agenda.models.error_group import ErrorGroup
from django_agenda.models.execution import Execution
from django_agenda.scheduling.count import count_failures
from django_agenda.scheduling.grid import Grid
from django_agenda.scheduling.rollup import rollup_of

from .buttons import BatchButtons
from .groups import Failures, Group, groups_of
from .pruned import with_pruned_failures

if TYPE_CHECKING:
    from django_agenda.admin.read_only import ReadOnlyAdmin

    from .subject import Subject

_SLUGS = {"enqueue": "pending", "expired": "missed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """Hold one group as it is shown."""

    group: Group
    state: State
    stage: str
    name: str
    count: str
    retrying: str
    percent: str
    first: SafeString | str
    last: SafeString | str
    spark: SafeString
    url: str
    sample_url: str
    group_url: str
    buttons: list[Button]


def failure_rows(
    admin: ReadOnlyAdmin, request: HttpRequest, subject: Subject, buttons: BatchButtons
) -> tuple[list[FailureRow], int]:
    """Return the groups of the whole batch, the largest first, and how many are left out."""
    batch = subject.batch
    found = subject.recall("failures", lambda: _find(subject))
    if batch.rollup:
        found = with_pruned_failures(found, rollup_of(batch))
    may_follow = admin.can_see(request, Execution)
    errors_url = admin.seen_list_url(request, ErrorGroup)
    rows = [
        _row(
            admin,
            subject,
            group,
            buttons,
            may_follow=may_follow and not group.is_pruned,
            errors_url="" if group.is_pruned else errors_url,
        )
        for group in found.groups
    ]
    return rows, found.more


def _find(subject: Subject) -> Failures:
    if subject.counted is not None:
        return groups_of(subject.counted.kinds, subject.rows)
    window = Grid.over(0, max(-(-subject.batch.over // MILLISECOND), 1))
    return groups_of(count_failures(subject.rows, window, subject.batch.start), subject.rows)


def _row(
    admin: ReadOnlyAdmin,
    subject: Subject,
    group: Group,
    buttons: BatchButtons,
    *,
    may_follow: bool,
    errors_url: str,
) -> FailureRow:
    sample, batch = group.sample, subject.batch
    slug = _SLUGS.get(sample.failed_stage, "failed")
    query = urlencode({"batch__id__exact": batch.pk, "error_fingerprint": group.fingerprint})
    first, last = (
        wording.time_tag(batch.start + offset * MILLISECOND, subject.now, seconds=False)
        for offset in (group.first_ms, group.last_ms)
    )
    return FailureRow(
        group=group,
        state=OUTCOMES[slug],
        stage=sample.get_failed_stage_display() or str(OUTCOMES[slug].label),
        name=wording.short_task(sample.error_class),
        count=wording.count(group.met),
        retrying=wording.count(group.retrying) if group.retrying else "",
        percent=wording.percent(group.met, batch.total),
        first=first,
        last=last,
        spark=charts.spark({slug: group.line}),
        url=f"{admin.list_url(Execution)}?{query}" if may_follow else "",
        sample_url=admin.url_of(sample) if may_follow else "",
        group_url=f"{errors_url}?{urlencode({'error': group.fingerprint})}" if errors_url else "",
        buttons=[] if group.is_pruned else buttons.of_group(group),
    )

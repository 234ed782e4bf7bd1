"""Tags for the pages of a project, and one for ours: `{% load agenda %}`.

Who may see a page is for the project to say: these tags ask nobody.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from django_agenda.admin import charts, states, wording
from django_agenda.admin.batches.subject import Subject
from django_agenda.admin.batches.timeline import build
from django_agenda.admin.span import whole_span
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.scheduling.digest import digest_of

register = template.Library()

_TIMELINE = "admin/django_agenda/batch/embedded.html"
_ICONS = "admin/django_agenda/icons.html"


@register.simple_tag(takes_context=True)
def agenda_nonce(context: template.Context) -> SafeString | str:
    """Return the nonce attribute of the request's content security policy, if it has one."""
    nonce: Any = context.get("csp_nonce") or getattr(context.get("request"), "csp_nonce", "")
    return format_html(' nonce="{}"', nonce) if nonce else ""


@register.simple_tag(takes_context=True)
def agenda_progress(context: template.Context, batch: Batch) -> SafeString:
    """Draw how much of a batch has ended, and how, with the sentence that says it in numbers.

    It looks at the batch alone, so it is cheap in a list. The page needs our style sheet.
    """
    counts = {slug: getattr(batch, slug) for slug in states.OUTCOMES}
    words = wording.batch_sentence(batch)
    return format_html(
        '{}<div class="ag ag-embedded"><p class="ag-embedded-head">{} <span>{}</span></p>{}</div>',
        _icons(context),
        states.of_batch(batch).badge,
        words,
        charts.bar(counts, batch.total, words),
    )


@register.simple_tag(takes_context=True)
def agenda_timeline(context: template.Context, batch: Batch) -> SafeString:
    """Draw the timeline of a batch, at the level of detail that fits; nothing in it is a link.

    Up to 200 executions are drawn one by one, and then their keys and tasks can be read in it. It
    takes up to four statements. The page needs our style sheet.
    """
    moment, rows = now(), batch.executions.order_by()
    subject = Subject(
        batch=batch,
        rows=rows,
        span=whole_span(batch, None, moment),
        now=moment,
        zoom_url=lambda _span: "",
        execution_url=lambda _execution: "",
        counted=digest_of(batch),
    )
    timeline = build(subject)
    shown = {
        "timeline": timeline,
        "drawing": timeline.drawing,
        "label": wording.batch_sentence(batch),
    }
    return _icons(context) + render_to_string(_TIMELINE, shown)


def _icons(context: template.Context) -> SafeString:
    """Return the drawings of the icons, once a page."""
    # The bottom of the stack is shared by a template and what it includes.
    page = context.dicts[0]
    if "agenda_icons" in page:
        return SafeString("")
    page["agenda_icons"] = True
    return render_to_string(_ICONS)

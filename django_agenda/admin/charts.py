"""Small drawings inside text: a bar of shares, a line of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from .timeline.axis import number

_LEAST_SHARE = 0.8
_SPARK_HEIGHT = 20
_FAILURE_HEIGHT = 4
_MOST_WITH_GAPS = 40


class Part(NamedTuple):
    """Hold one part of a bar, in per cent of its width."""

    slug: str
    x: str
    width: str


def parts(counts: Mapping[str, int], total: int) -> list[Part]:
    """Share out a bar; what is not nothing can be seen, at the expense of the largest part."""
    found = {slug: 100 * many / total for slug, many in counts.items() if many} if total else {}
    widths = {slug: max(share, _LEAST_SHARE) for slug, share in found.items()}
    surplus = max(sum(widths.values()) - 100, 0.0)
    if surplus:
        widths[max(widths, key=widths.__getitem__)] -= surplus
    laid, x = [], 0.0
    for slug, width in widths.items():
        laid.append(Part(slug, f"{number(x, 3)}%", f"{number(width, 3)}%"))
        x += width
    return laid


def bar(counts: Mapping[str, int], total: int, label: str) -> SafeString:
    """Return the bar as an SVG that is as wide as its place."""
    rects = format_html_join(
        "",
        '<rect class="ag-fill ag-s-{}" x="{}" width="{}" height="100%"/>',
        parts(counts, total),
    )
    return format_html(
        '<svg class="ag-bar" role="img" aria-label="{}"><title>{}</title>'
        '<rect class="ag-track" width="100%" height="100%"/>{}</svg>',
        label,
        label,
        rects,
    )


def spark(columns: Mapping[str, Sequence[int]], label: str = "") -> SafeString:
    """Return stacked columns, one colour a status, as an SVG; without a label it is decoration."""
    totals = [sum(column) for column in zip(*columns.values(), strict=True)]
    highest = max(totals, default=0)
    # Where columns are narrow, gaps between them would take their colour away.
    wide = ".8" if len(totals) <= _MOST_WITH_GAPS else "1"
    drawn = []
    base = [0.0] * len(totals)
    for slug, line in columns.items():
        path = []
        for place, many in enumerate(line):
            if many and highest:
                height = max(_SPARK_HEIGHT * many / highest, 1.5)
                base[place] += height
                top = number(_SPARK_HEIGHT - base[place], 2)
                path.append(f"M{place} {top}h{wide}v{number(height, 2)}h-{wide}z")
        if path:
            drawn.append((slug, "".join(path)))
    paths = format_html_join("", '<path class="ag-fill ag-s-{}" d="{}"/>', drawn)
    meaning = (
        format_html('role="img" aria-label="{}"', label)
        if label
        else format_html('aria-hidden="{}"', "true")
    )
    return format_html(
        '<svg class="ag-spark" viewBox="0 0 {} {}" preserveAspectRatio="none" {}>{}</svg>',
        max(len(totals), 1),
        _SPARK_HEIGHT,
        meaning,
        paths,
    )


def occupancy(
    busy: Sequence[float | None], failed: Sequence[int], slots: int, label: str
) -> SafeString:
    """Return how many of its slots a worker had busy, as an SVG: full is as high as it can be.

    Where somebody failed there is a mark at the top. None is a step in which it was not heard.
    """
    known, work, trouble = "", "", ""
    for place, (many, bad) in enumerate(zip(busy, failed, strict=True)):
        if many is None:
            continue
        known += f"M{place} 0h1v{_SPARK_HEIGHT}h-1z"
        if many and slots:
            height = max(_SPARK_HEIGHT * min(many / slots, 1), 1.5)
            work += f"M{place} {number(_SPARK_HEIGHT - height, 2)}h1v{number(height, 2)}h-1z"
        if bad:
            trouble += f"M{place} 0h1v{_FAILURE_HEIGHT}h-1z"
    drawn = [("ag-track", known), ("ag-fill ag-s-running", work), ("ag-fill ag-s-failed", trouble)]
    return format_html(
        '<svg class="ag-slots" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-label="{}"><title>{}</title>{}</svg>',
        max(len(busy), 1),
        _SPARK_HEIGHT,
        label,
        label,
        format_html_join("", '<path class="{}" d="{}"/>', [one for one in drawn if one[1]]),
    )

"""The small drawings, for fixed data."""

from __future__ import annotations

from django_agenda.admin import charts


def test_busy_slots_are_as_high_as_their_share() -> None:
    drawn = charts.occupancy([0, 2.0, 4.0, None, 9.0], [0, 0, 1, 0, 0], 4, "Busy")

    assert drawn == (
        '<svg class="ag-slots" viewBox="0 0 5 20" preserveAspectRatio="none" role="img"'
        ' aria-label="Busy"><title>Busy</title>'
        '<path class="ag-track" d="M0 0h1v20h-1zM1 0h1v20h-1zM2 0h1v20h-1zM4 0h1v20h-1z"/>'
        '<path class="ag-fill ag-s-running" d="M1 10h1v10h-1zM2 0h1v20h-1zM4 0h1v20h-1z"/>'
        '<path class="ag-fill ag-s-failed" d="M2 0h1v4h-1z"/></svg>'
    )


def test_what_is_hardly_busy_can_be_seen() -> None:
    assert "M0 18.5h1v1.5h-1z" in charts.occupancy([0.01], [0], 500, "")


def test_a_worker_that_was_never_heard_has_no_line() -> None:
    assert "<path" not in charts.occupancy([None, None], [0, 0], 4, "")
    assert "<path" not in charts.occupancy([], [], 0, "")

"""The play: the same newsletter flooded first, then scattered."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from shop.newsletter import Way

from .screen import Screen
from .stage import Stage

# Workers that manage fewer mails in a second than this are given up.
SLOWEST = 20
PATIENCE_S = 60


def play(stage: Stage, screen: Screen) -> dict[str, Any]:
    """Place an order, then press both buttons; return the results as the site reports them."""
    stage.visitor.submit(reverse("admin:shop_order_add"), customer=1, total="24.80")
    _press(stage, Way.FLOODED)
    _watch(stage, Way.FLOODED, screen)
    stage.children.look_after(1)  # after a silence the provider takes a burst again
    _press(stage, Way.SCATTERED)
    return _watch(stage, Way.SCATTERED, screen)


def _press(stage: Stage, way: Way) -> None:
    mails, seconds = stage.plan.mails, stage.plan.seconds
    stage.visitor.submit(reverse("newsletter"), way=way, mails=mails, seconds=seconds)


def _watch(stage: Stage, way: Way, screen: Screen) -> dict[str, Any]:
    def finished() -> dict[str, Any] | None:
        report: dict[str, Any] = stage.visitor.get_json(reverse("progress"))
        screen.show_progress(way, report[way])
        return report if report[way]["finished"] else None

    patience = stage.plan.seconds + stage.plan.mails / SLOWEST + PATIENCE_S
    report = stage.children.wait_for(finished, patience, what=f"end of the {way} newsletter")
    assert report is not None
    return report

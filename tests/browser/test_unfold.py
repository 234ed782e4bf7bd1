"""Every page inside django-unfold: whole, legible, and with nothing inline of ours."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from .test_modes import look
from .walk import furnish, pages

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.version_info < (3, 12), reason="django-unfold needs Python 3.12"),
]

# Unfold's own parts write styles and scripts inline, ours do not.
WATCH = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
        const ours = event.target.closest?.(".ag, [class*=ag-]") ||
            event.sourceFile.includes("/django_agenda/");
        if (ours) violations.push(`${event.violatedDirective} ${event.sourceFile}`);
    });
"""
FADED = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgb = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const behind = (one) => {
        for (let at = one; at; at = at.parentElement) {
            const colour = rgb(getComputedStyle(at).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return [255, 255, 255, 255];
    };
    const luminance = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, at) => {
        const part = colour[at] / 255;
        return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    }, 0);
    const has_words = (one) =>
        [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    return [...document.querySelectorAll(".ag :not(svg *)")].filter(one => {
        if (!one.checkVisibility() || !has_words(one)) return false;
        const pair = [rgb(getComputedStyle(one).color), behind(one)].map(luminance);
        return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05) < 3;
    }).map(one => one.outerHTML.slice(0, 120));
}"""


@pytest.fixture
def unfolded(settings: Any) -> None:
    pytest.importorskip("unfold")
    settings.INSTALLED_APPS = ["unfold.apps.BasicAppConfig", *settings.INSTALLED_APPS]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.browser.policy.ReportedPolicy"]
    settings.ROOT_URLCONF = "tests.browser.unfold"


@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_every_page_is_legible_and_violates_no_policy(
    unfolded: None, admin_client: Client, open_anyhow: Callable[..., Page], theme: str
) -> None:
    furnish()
    page = open_anyhow(color_scheme=theme)
    page.add_init_script(WATCH)
    found = {}
    for address in pages(admin_client):
        page.goto(address)
        look(page, f"unfold-{theme}", address)
        if wrong := page.evaluate("violations") + page.evaluate(FADED):
            found[address] = wrong

    assert not found

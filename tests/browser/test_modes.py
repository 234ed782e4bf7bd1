"""Every page in the ways in which people look at it: colours of their own, paper, phones, zoom.

Walks over every page take long, so the gate takes those of axe, and `make browser` all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import resolve

from . import faults
from .conftest import NARROW
from .test_batch_pages import overflow, problems_of
from .walk import lists

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
]

Opener = Callable[..., "Page"]
# 1280 pixels seen at 200 %, and at 400 %: what WCAG 1.4.10 asks for.
ZOOMED = {"width": 640, "height": 450}
TINY = {"width": 320, "height": 256}


def look(page: Page, name: str, address: str) -> None:
    """Keep a picture where AGENDA_PICTURES says, for people to look at."""
    folder = os.environ.get("AGENDA_PICTURES")
    if folder:
        match = resolve(address)
        kind = "-".join([str(match.url_name), match.kwargs.get("slug", "")]).strip("-")
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}-{kind}.png", full_page=True)


def visit(page: Page, addresses: list[str], name: str, check: str) -> dict[str, Any]:
    """Return by address what a script finds wrong with our pages, but not with Django's own."""
    found = {}
    for address in addresses:
        page.goto(address)
        if page.locator(".ag, .ag-list").count():
            look(page, name, address)
            if wrong := page.evaluate(check):
                found[address] = wrong
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    open_page: Opener, every_page: list[str], theme: str
) -> None:
    page = open_page(color_scheme=theme)
    found = {}
    for address in every_page:
        page.goto(address)
        look(page, theme, address)
        if page.locator(".ag").count() and (problems := problems_of(page)):
            found[address] = problems

    assert not found


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_forced_colours_leave_every_control_and_every_sign_visible(
    open_page: Opener, every_page: list[str], theme: str
) -> None:
    page = open_page(color_scheme=theme, forced_colors="active")

    assert not visit(page, every_page, f"forced-{theme}", faults.BORDERLESS)
    assert not visit(page, every_page, f"forced-{theme}", faults.UNSEEN)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_paper_has_no_controls_and_dark_words(
    open_page: Opener, every_page: list[str], theme: str
) -> None:
    page = open_page(color_scheme=theme, viewport={"width": 718, "height": 1000})
    page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    page.emulate_media(media="print")

    assert not visit(page, every_page, f"print-{theme}", faults.CONTROLS)
    assert not visit(page, every_page, f"print-{theme}", faults.PALE)
    assert not visit(page, every_page, f"print-{theme}", faults.WIDE)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("narrow", NARROW), ("zoomed", ZOOMED), ("tiny", TINY)])
def test_no_page_scrolls_sideways(
    open_page: Opener, every_page: list[str], name: str, size: dict[str, int]
) -> None:
    page = open_page(viewport=size)

    assert not visit(page, every_page, name, faults.WIDE)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en-GB", "de"])
def test_nothing_to_follow_or_press_is_cut_off(
    open_page: Opener, every_page: list[str], language: str
) -> None:
    page = open_page(locale=language)
    found = {}

    for width in (1280, 1024, 640, 390):
        page.set_viewport_size({"width": width, "height": 844})
        if cut := visit(page, every_page, f"{language}-{width}", faults.CUT):
            found[width] = cut

    assert not found


@pytest.mark.slow
def test_pages_are_mirrored_for_who_reads_from_the_right(
    open_page: Opener, every_page: list[str]
) -> None:
    page = open_page(locale="ar", viewport={"width": 1280, "height": 900})

    assert not visit(page, every_page, "rtl", faults.WIDE)
    assert not visit(page, every_page, "rtl", faults.NOT_MIRRORED)
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert not visit(page, every_page, "rtl-narrow", faults.WIDE)


@pytest.mark.slow
def test_nothing_moves_for_who_asks_for_that(open_page: Opener, every_page: list[str]) -> None:
    page = open_page(reduced_motion="reduce")

    assert not visit(page, every_page, "still", faults.MOVING)


def test_empty_pages_are_clean_and_fit(open_page: Opener) -> None:
    page = open_page(viewport=NARROW)

    for address in lists():
        page.goto(address)
        look(page, "empty", address)
        assert overflow(page) <= 0
        assert not page.locator(".ag").count() or not problems_of(page)

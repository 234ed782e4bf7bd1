"""A real Chromium that fails a test on any error of the console, of the policy or of the network.

Chromium is found by CHROMIUM, or on the path; without one the tests are skipped, and fail in CI.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from .walk import furnish, pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request

# --no-sandbox because containers run as root; the others keep it from talking to anybody.
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
]
# The last two are an error in django-unfold's own lists.
NOT_OURS = re.compile(
    "favicon|report-only|Alpine Expression Error|actionDropdownOpen", re.IGNORECASE
)
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 390, "height": 844}
USUAL = {
    "reduced_motion": "reduce",
    "locale": "en-GB",
    "timezone_id": "Europe/Berlin",
    "viewport": WIDE,
}


def chromium_path() -> str | None:
    """Return where Chromium is."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once."""
    path = chromium_path()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("There is no Chromium: install it, or name it in CHROMIUM.")
        pytest.skip("There is no Chromium: install it, or name it in CHROMIUM.")
    sync_api = pytest.importorskip("playwright.sync_api")
    # Playwright leaves an event loop in this thread, and Django would refuse to use the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    """Run a test in both themes."""
    return str(request.param)


@pytest.fixture
def strict_policy(settings: object) -> None:
    """Have every answer forbid what is inline, and what comes from elsewhere."""
    middleware = [*settings.MIDDLEWARE, "tests.browser.policy.StrictPolicy"]  # type: ignore[attr-defined]
    settings.MIDDLEWARE = middleware  # type: ignore[attr-defined]


@pytest.fixture
def open_page(strict_policy: None, open_anyhow: Callable[..., Page]) -> Callable[..., Page]:
    """Open pages of a logged-in administrator; whatever goes wrong on one fails the test.

    Takes the options of Playwright's new_context(), of which some have values already.
    """
    return open_anyhow


@pytest.fixture
def open_anyhow(
    browser: Browser, live_server: LiveServer, admin_client: Client
) -> Iterator[Callable[..., Page]]:
    """Do the same without a policy, or under one that only reports."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def console(message: ConsoleMessage) -> None:
        words = f"{message.location['url']} {message.text}"
        if message.type in ("error", "warning") and not NOT_OURS.search(words):
            complaints.append(f"console: {message.text}")

    def script(error: Error) -> None:
        if not NOT_OURS.search(str(error)):
            complaints.append(f"script: {error}")

    def request(sent: Request) -> None:
        if not sent.url.startswith((live_server.url, "data:")):
            complaints.append(f"request: {sent.url}")

    def open_one(**options: Any) -> Page:
        context = browser.new_context(**{**USUAL, "base_url": live_server.url, **options})
        contexts.append(context)
        cookie = admin_client.cookies[settings.SESSION_COOKIE_NAME]
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
        page = context.new_page()
        page.on("console", console)
        page.on("request", request)
        page.on("pageerror", script)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def admin_page(open_page: Callable[..., Page], theme: str) -> Page:
    """Give one such page."""
    return open_page(color_scheme=theme)


@pytest.fixture
def every_page(admin_client: Client) -> list[str]:
    """Fill the tables, and return one address of each kind of page; see walk.py."""
    furnish()
    return pages(admin_client)

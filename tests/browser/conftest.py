"""A real Chromium that fails a test on any error of the console, of the policy or of the network.

Chromium is found by CHROMIUM, or on the path; without one the tests are skipped, and fail in CI.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client
from pytest_django.live_server_helper import LiveServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

# --no-sandbox because containers run as root; the others keep it from talking to anybody.
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
]
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 390, "height": 844}


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
def admin_page(
    browser: Browser,
    strict_policy: None,
    live_server: LiveServer,
    admin_client: Client,
    theme: str,
) -> Iterator[Page]:
    """Give a page of a logged-in administrator; whatever goes wrong on it fails the test."""
    complaints: list[str] = []

    def console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "favicon" not in message.location["url"]:
            complaints.append(f"console: {message.text}")

    def request(sent: Request) -> None:
        if not sent.url.startswith((live_server.url, "data:")):
            complaints.append(f"request: {sent.url}")

    context = browser.new_context(
        base_url=live_server.url,
        color_scheme=theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Berlin",
        viewport=WIDE,  # type: ignore[arg-type]
    )
    cookie = admin_client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    page.on("console", console)
    page.on("request", request)
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    yield page
    context.close()
    assert not complaints

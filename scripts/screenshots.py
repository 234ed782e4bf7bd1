"""Make the pictures of the documentation from the real pages, with a headless Chromium.

    python scripts/screenshots.py                       # own data in a throw-away database
    python scripts/screenshots.py --url http://127.0.0.1:8000/admin/ --user admin --password ...

With --url the pictures show what is there: the list, and the newest batch or the one of --batch.
Chromium is the one of CHROMIUM, or on the path. The pictures go to docs/images/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 1180
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
NEW_BATCH = {
    "task": "tests.tasks.echo",
    "lines": "\n".join(f'[{number}, "monthly"]' for number in range(1, 41)),
    "amount": "20",
    "name": "Letters",
}
# Hides what is no part of the product, and what would differ from one run to the next.
CLOSED_SIDEBAR = "localStorage.setItem('django.admin.navSidebarIsOpen', 'false')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Say where the admin is, who looks, and which batches are shown."""

    url: str
    user: str
    password: str
    batch: str
    big_batch: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Say what one picture shows; without a height it is as high as the page.

    `fields` are filled in, and `press` is pressed, before it is taken.
    """

    name: str
    path: str
    theme: str = "light"
    height: int | None = None
    fields: dict[str, str] = field(default_factory=dict)
    press: str = ""


def main() -> int:
    options = _options()
    with _own_site() if options.url is None else _given_site(options) as site:
        _take(site, _pictures(site), options.output)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--url", help="address of a running admin, with a slash at its end")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", default="admin")
    parser.add_argument("--batch", default="", help="number of the batch to show")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    return parser.parse_args()


def _pictures(site: Site) -> list[Picture]:
    page = f"django_agenda/batch/{site.batch}/change/"
    found = [
        Picture(name="workers", path="django_agenda/worker/", height=560),
        Picture(name="overview", path="django_agenda/overview/", height=1120),
        Picture(name="batch-list", path="django_agenda/batch/"),
        Picture(name="retry", path=f"django_agenda/batch/{site.batch}/do/retry/"),
        Picture(name="batch-light", path=page, height=1120),
        Picture(name="batch-dark", path=page, height=1120, theme="dark"),
        Picture(name="errors", path="django_agenda/errorgroup/"),
        Picture(name="schedules", path="django_agenda/schedule/"),
        Picture(name="operation", path="django_agenda/operation/1/change/"),
        Picture(name="queues", path="django_agenda/queue/", height=1120),
        Picture(
            name="new-batch",
            path="django_agenda/batch/add/",
            height=1120,
            fields=NEW_BATCH,
            press="preview",
        ),
    ]
    if site.big_batch:
        big = f"django_agenda/batch/{site.big_batch}/change/"
        found.append(Picture(name="batch-big", path=big, height=1120, theme="dark"))
    return found


def _take(site: Site, pictures: list[Picture], folder: Path) -> None:
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    path = shutil.which(os.environ.get("CHROMIUM", "chromium")) or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for picture in pictures:
            _take_one(browser, site, picture, folder / f"{picture.name}.png")
        browser.close()


def _take_one(browser: Browser, site: Site, picture: Picture, target: Path) -> None:
    context = browser.new_context(
        color_scheme="dark" if picture.theme == "dark" else "light",
        locale="en-GB",
        viewport={"width": WIDTH, "height": picture.height or 600},
    )
    context.add_init_script(CLOSED_SIDEBAR)
    page = context.new_page()
    page.goto(f"{site.url}login/?next={site.url}{picture.path}")
    page.fill("#id_username", site.user)
    page.fill("#id_password", site.password)
    page.click("input[type=submit]")
    page.wait_for_load_state("networkidle")
    answer = page.goto(f"{site.url}{picture.path}")
    if answer is None or not answer.ok:
        sys.exit(f"{site.url}{picture.path} did not answer with a page.")
    for name, value in picture.fields.items():
        page.fill(f"[name={name}]", value)
    if picture.press:
        page.click(f"[name={picture.press}]")
        page.wait_for_load_state("networkidle")
    page.screenshot(path=target, full_page=picture.height is None)
    context.close()
    print(target)


@contextmanager
def _given_site(options: argparse.Namespace) -> Iterator[Site]:
    """Show a running admin; without --batch the newest one."""
    batch = options.batch or _newest(options)
    yield Site(url=options.url, user=options.user, password=options.password, batch=batch)


def _newest(options: argparse.Namespace) -> str:
    from playwright.sync_api import sync_playwright

    path = shutil.which(os.environ.get("CHROMIUM", "chromium")) or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(f"{options.url}login/?next={options.url}django_agenda/batch/")
        page.fill("#id_username", options.user)
        page.fill("#id_password", options.password)
        page.click("input[type=submit]")
        link = page.locator("#result_list th a").first.get_attribute("href") or ""
        browser.close()
    return link.rstrip("/").split("/")[-2]


@contextmanager
def _own_site() -> Iterator[Site]:
    """Serve the admin of the tests' project over data of our own, on a loopback port."""
    sys.path.insert(0, str(ROOT))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.settings", "DJANGO_ALLOW_ASYNC_UNSAFE": "true"}
    from django_agenda.embedded import EmbeddedRedis

    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis() as redis:
        from django.conf import settings

        settings.DATABASES["default"] = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{folder}/pictures.sqlite3",
        }
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
        settings.DJANGO_AGENDA = {"REDIS": redis.url}
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        from scripts.picture_data import fill

        password, batch, big_batch = fill()
        with _served() as url:
            yield Site(
                url=url, user="admin", password=password, batch=str(batch), big_batch=str(big_batch)
            )


@contextmanager
def _served() -> Iterator[str]:
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.test.testcases import LiveServerThread

    server = LiveServerThread("127.0.0.1", StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    try:
        yield f"http://127.0.0.1:{server.port}/admin/"
    finally:
        server.terminate()


if __name__ == "__main__":
    sys.exit(main())

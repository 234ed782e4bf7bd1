"""Somebody who uses the site as a browser does."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

from django.core.management.base import CommandError
from django.urls import reverse

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
TIMEOUT_S = 30.0


class Visitor:
    """Keep cookies, follow redirects, and fill in forms together with their CSRF token."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor())

    def is_welcome(self) -> bool:
        """Tell whether the site answers yet."""
        try:
            return bool(self.get(reverse("admin:login")))
        except OSError:
            return False

    def log_in(self, user: str, password: str) -> None:
        """Log in by the form of the admin; raise CommandError when it is refused."""
        path = f"{reverse('admin:login')}?next={reverse('admin:index')}"
        page = self.submit(path, username=user, password=password)
        if "errornote" in page:
            raise CommandError(f"The admin did not let {user!r} in.")

    def get(self, path: str) -> str:
        """Return a page; raise CommandError when the site answers with an error."""
        return self._open(path, None)

    def get_json(self, path: str) -> Any:
        """Return what a JSON page holds."""
        return json.loads(self.get(path))

    def submit(self, path: str, **fields: object) -> str:
        """Fill in the form of a page, press its button, and return the page that follows."""
        token = TOKEN.search(self.get(path))
        if token is None:
            raise CommandError(f"{path} has no form.")
        data = urlencode({"csrfmiddlewaretoken": token[1], **fields})
        return self._open(path, data.encode())

    def _open(self, path: str, data: bytes | None) -> str:
        try:
            with self._opener.open(self._site + path, data, TIMEOUT_S) as answer:
                return str(answer.read().decode())
        except HTTPError as error:
            text = words(error.read().decode(errors="replace"))
            raise CommandError(f"{path} answered {error.code}: {text[:500]}") from None


def words(page: str) -> str:
    """Return what somebody reads on a page: no markup, single spaces, plain digits."""
    text = unescape(re.sub(r"(?s)<(style|script)\b.*?</\1>|<[^>]*>", " ", page))
    return " ".join(re.sub(r"(?<=\d)[,\u00a0\u202f](?=\d{3}\b)", "", text).split())

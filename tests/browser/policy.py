"""A middleware that forbids what is inline, and whatever comes from elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
)


class StrictPolicy:
    """Add the header to every answer."""

    header = "Content-Security-Policy"

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response[self.header] = POLICY
        return response


class ReportedPolicy(StrictPolicy):
    """Have violations reported to the page, and nothing refused."""

    header = "Content-Security-Policy-Report-Only"

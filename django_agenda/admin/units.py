"""The units of time as they are written behind a number."""

from __future__ import annotations

from django.utils.translation import pgettext_lazy

MILLISECONDS = pgettext_lazy("unit of time", "ms")
SECONDS = pgettext_lazy("unit of time", "s")
MINUTES = pgettext_lazy("unit of time", "min")
HOURS = pgettext_lazy("unit of time", "h")
DAYS = pgettext_lazy("unit of time", "d")

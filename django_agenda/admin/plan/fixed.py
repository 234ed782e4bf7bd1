"""What a preview fixes, signed: the start, the seed, and what was filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from random import SystemRandom
from typing import Any

from django.core import signing
from django.http import HttpRequest

from django_agenda.clock import now
from django_agenda.timing.spread import spread
from django_agenda.timing.window import Window

from .form import PlanForm

FIELD = "previewed"
# Longer ago what was previewed as "now" is too far in the past.
VALID_FOR = timedelta(minutes=5)
_SALT = "django_agenda.admin.plan"
_random = SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Hold the start and the seed of what was filled in."""

    start: datetime
    seed: int

    def options(self, form: PlanForm) -> dict[str, Any]:
        """Return the arguments of Agenda.preview(), which are among those of scatter()."""
        found = form.cleaned_data
        return {
            "over": found["over"],
            "start": self.start,
            "jitter": found["jitter"],
            "strategy": found["strategy"],
            "seed": self.seed,
        }


def fix(form: PlanForm) -> Fixed:
    """Choose what was left open; raise ValueError for a window that cannot be."""
    found = form.cleaned_data
    seed = _random.getrandbits(31) if found["seed"] is None else found["seed"]
    fixed = Fixed(start=found["start"] or now(), seed=seed)
    options = fixed.options(form)
    window = Window(start=options.pop("start"), over=options.pop("over"))
    spread(len(form.calls), window, **options)
    return Fixed(start=window.start, seed=seed)


def sign(request: HttpRequest, form: PlanForm, fixed: Fixed) -> str:
    """Return it as text that only this user can confirm, with these fields and their calls."""
    value = [fixed.start.isoformat(), fixed.seed, _digest(request, form)]
    return signing.dumps(value, salt=_SALT)


def read(request: HttpRequest, form: PlanForm) -> Fixed | None:
    """Return what was previewed of these calls, or None when they were not, or long ago."""
    try:
        start, seed, digest = signing.loads(
            request.POST.get(FIELD, ""), salt=_SALT, max_age=VALID_FOR
        )
    except signing.BadSignature:
        return None
    if digest != _digest(request, form):
        return None
    return Fixed(start=datetime.fromisoformat(start).astimezone(UTC), seed=seed)


def _digest(request: HttpRequest, form: PlanForm) -> str:
    """Digest what was filled in, and what a source has given: that may be something else later."""
    filled: Mapping[str, Any] = request.POST
    values = [filled.get(name, "") for name in PlanForm.base_fields]
    given = form.calls if form.cleaned_data.get("source") else []
    parts = [request.user.pk, values, [(call.args, call.kwargs) for call in given]]
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()

"""Actions need commits and a Redis: the fixture of the folder above this one's is back."""

from __future__ import annotations

from tests.integration.conftest import _everything_holds

__all__ = ["_everything_holds"]

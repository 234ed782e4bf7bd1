"""The shop as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """Listen to the shop's own signals."""

    name = "shop"

    def ready(self) -> None:
        """Connect what happens when an order comes in."""
        from . import signals  # noqa: F401

"""`manage.py mailserver`: the shop's mail provider."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from shop.mailserver import Provider, serve


class Command(BaseCommand):
    """Run the mail provider until it is stopped."""

    help = "Run a mail provider that refuses what comes faster than its limit."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a port; the limits are settings, for the shop has to know them too."""
        parser.add_argument("--port", type=int, default=settings.MAIL_PORT, help="0: a free one")

    def handle(self, *, port: int, **options: Any) -> None:
        """Serve, and say on which port."""
        provider = Provider(
            settings.DEMO_DIR / "mail",
            limit=settings.PROVIDER_LIMIT,
            burst=settings.PROVIDER_BURST,
        )
        try:
            asyncio.run(serve(provider, port=port, ready=self._say))
        except KeyboardInterrupt:
            self.stdout.write(f"{provider.delivered} mails delivered.")

    def _say(self, port: int) -> None:
        self.stdout.write(f"Listening on 127.0.0.1:{port}")
        self.stdout.flush()

"""`manage.py open_shop`: tables, an administrator, and the customers."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from shop.customers import load_customers


class Command(BaseCommand):
    """Make ready whatever is not ready yet; it can be repeated."""

    help = "Make the tables, the administrator and the customers."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the administrator's name and password."""
        parser.add_argument("--user", default="admin")
        parser.add_argument("--password", default="admin")

    def handle(self, *, user: str, password: str, **options: Any) -> None:
        """Open the shop."""
        call_command("migrate", verbosity=0)
        users = get_user_model().objects
        if not users.filter(username=user).exists():
            users.create_superuser(username=user, email="admin@example.com", password=password)
        self.stdout.write(f"The shop has {load_customers()} customers.")

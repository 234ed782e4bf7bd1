"""Users with the rights that the tests are about."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from django_agenda.admin.memory import memory
from tests import sound

ClientFor = Callable[..., Client]


@pytest.fixture(autouse=True)
def _everything_holds(db: None) -> Iterator[None]:
    """Stand for the fixture of the folder above: these tests need neither Redis nor commits."""
    yield
    sound.assert_sound()


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    memory.forget()


@pytest.fixture
def client_for(db: None) -> ClientFor:
    """Return a function that logs in a member of the staff with those permissions alone."""

    def log_in(*codenames: str) -> Client:
        user = User.objects.create_user("ann", password="", is_staff=True)
        found = Permission.objects.filter(
            content_type__app_label="django_agenda", codename__in=codenames
        )
        assert len(found) == len(codenames)
        user.user_permissions.set(found)
        client = Client()
        client.force_login(user)
        return client

    return log_in

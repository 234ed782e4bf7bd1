"""What the timeline of a batch still shows of pauses that are over."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from django_agenda.clock import now
from django_agenda.models import Batch
from django_agenda.scheduling.pause import pause_batch

from .test_plan_end import HOUR, MINUTE, waiting

pytestmark = pytest.mark.django_db


def bands(client: Client, batch: Batch) -> list[tuple[float, float]]:
    """Return where the pauses on the timeline begin and how long they are, in per cent of it."""
    page = client.get(reverse("admin:django_agenda_batch_change", args=[batch.pk]))
    drawn = page.context["page"].timeline.drawing.pauses
    return [(float(band.x[:-1]), float(band.width[:-1])) for band in drawn]


def test_a_pause_that_a_program_made_and_somebody_ended_stays_on_the_timeline(
    admin_client: Client,
) -> None:
    moment = now()
    batch = waiting(moment - HOUR, 2 * HOUR)
    other = waiting(moment - HOUR, 2 * HOUR)
    pause_batch(batch, "3 of 12 failed; max_failures is 3")
    other.pause()
    for minutes, one in ((24, batch), (48, other)):
        Batch.objects.filter(pk=one.pk).update(paused_at=moment - minutes * MINUTE)
    fields = {"action": "resume", "_selected_action": [batch.pk, other.pk], "confirmed": "yes"}

    admin_client.post(reverse("admin:django_agenda_batch_changelist"), fields)

    ((begin, length),) = bands(admin_client, batch)
    assert begin == pytest.approx(30, abs=0.2)
    assert length == pytest.approx(20, abs=0.2)
    ((begin, _length),) = bands(admin_client, other)
    assert begin == pytest.approx(10, abs=0.2)
    message = LogEntry.objects.get(object_id=str(batch.pk)).change_message
    assert message.endswith(" UTC: 3 of 12 failed; max_failures is 3.")


def test_a_pause_that_a_program_ended_does_not_last_until_the_next_resume(
    admin_client: Client,
) -> None:
    moment = now()
    batch = waiting(moment - HOUR, 2 * HOUR)
    pause = reverse("admin:django_agenda_batch_do", args=[batch.pk, "pause"])
    admin_client.post(pause, {"seen": "4"})
    LogEntry.objects.update(action_time=moment - 50 * MINUTE)
    batch.resume()
    batch.pause()
    Batch.objects.filter(pk=batch.pk).update(paused_at=moment - 12 * MINUTE)

    admin_client.post(reverse("admin:django_agenda_batch_do", args=[batch.pk, "resume"]))

    ((begin, length),) = bands(admin_client, batch)
    assert begin == pytest.approx(40, abs=0.2)
    assert length == pytest.approx(10, abs=0.2)


def test_a_moment_that_is_none_is_not_drawn(admin_client: Client) -> None:
    batch = waiting(now() - HOUR, 2 * HOUR)
    user = User.objects.get(username="admin")
    words = "Resumed 4 executions. Reason: It was paused since 2026-13-41 25:00:00 UTC"
    LogEntry.objects.log_actions(user.pk, [batch], CHANGE, words)

    assert bands(admin_client, batch) == []


def test_a_pause_that_is_over_stays_on_the_timeline(admin_client: Client) -> None:
    moment = now()
    batch = waiting(moment - HOUR, 2 * HOUR)
    address = reverse("admin:django_agenda_batch_change", args=[batch.pk])
    user = User.objects.get(username="admin")
    said = (
        (30, "Paused 4 executions."),
        (20, "Resumed 4 executions."),
        (15, "Paused 4 executions."),
        (10, "Began operation 1: Resume 4 executions."),
    )
    for minutes, words in said:
        LogEntry.objects.log_actions(user.pk, [batch], CHANGE, words)
        latest = LogEntry.objects.latest("pk")
        LogEntry.objects.filter(pk=latest.pk).update(action_time=moment - minutes * MINUTE)

    text = admin_client.get(address).content.decode()

    assert text.count('class="ag-paused"') == 2

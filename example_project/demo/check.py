"""Whether the shop's results are what they should be, and whether the admin tells them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from shop.newsletter import Way

from .stage import Stage
from .visitor import words


def problems(stage: Stage, report: dict[str, Any]) -> Iterator[str]:
    """Name what is wrong, a sentence each; nothing when all is well."""
    yield from _results(stage, report)
    yield from _batch_list(stage, report)
    flooded, scattered = report[Way.FLOODED], report[Way.SCATTERED]
    yield from _batch_page(stage, flooded)
    yield from _batch_page(stage, scattered)
    yield from _mailing_pages(stage, report)


def _results(stage: Stage, report: dict[str, Any]) -> Iterator[str]:
    flooded, scattered = report[Way.FLOODED], report[Way.SCATTERED]
    mails, bad = stage.plan.mails, stage.plan.bad_addresses
    if flooded["too_fast"] <= mails / 3:
        yield f"Of {mails} mails that flooded in, only {flooded['too_fast']} were refused."
    if (scattered["delivered"], scattered["failed_otherwise"]) != (mails - bad, bad):
        yield (
            f"Of {mails} scattered mails, {bad} of them to bad addresses, {scattered['delivered']}"
            f" were delivered, {scattered['too_fast']} refused as too fast, and"
            f" {scattered['failed_otherwise']} failed otherwise."
        )
    delivered = flooded["delivered"] + scattered["delivered"]
    if stage.mails_delivered() != delivered:
        yield f"{delivered} executions succeeded, {stage.mails_delivered()} mails were delivered."


def _batch_list(stage: Stage, report: dict[str, Any]) -> Iterator[str]:
    path = reverse("admin:django_agenda_batch_changelist")
    page = stage.visitor.get(path)
    for way in Way:
        if f"{report[way]['batch_id']}/change/" not in page or f", {way}" not in words(page):
            yield f"{path} does not list the {way} batch."
    if "Follow-ups of order 1" not in words(page):
        yield f"{path} does not list the batch that the signal made."


def _mailing_pages(stage: Stage, report: dict[str, Any]) -> Iterator[str]:
    path = reverse("admin:shop_mailing_changelist")
    listed = stage.visitor.get(path)
    pages = [stage.visitor.get(page) for page in set(re.findall(rf"{path}\d+/change/", listed))]
    for way in Way:
        if not any(f"/batch/{report[way]['batch_id']}/change/" in page for page in pages):
            yield f"No page of a mailing shows the {way} batch."


def _batch_page(stage: Stage, result: dict[str, Any]) -> Iterator[str]:
    path = reverse("admin:django_agenda_batch_change", args=[result["batch_id"]])
    page = stage.visitor.get(path)
    text = words(page)
    failed = result["total"] - result["delivered"]
    for count, state in ((result["delivered"], "succeeded"), (failed, "failed")):
        if count and f"{count} {state}" not in text:
            yield f"{path} does not say that {count} {state}."
    groups = (
        (result["too_fast"], "SMTPDataError"),
        (result["failed_otherwise"], "SMTPRecipientsRefused"),
    )
    for count, error in groups:
        if count and not re.search(rf"\b{error} .{{0,200}}? {count} [\d.]+ %", text):
            yield f"{path} does not show {count} failures as a group of {error}."
    if "<svg" not in page:
        yield f"{path} shows no timeline."

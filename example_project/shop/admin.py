"""The shop's own pages in the admin; the batches beside them come with django_agenda."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import admin
from django.http import HttpRequest

from django_agenda.admin import BatchInline, arguments_for

from .models import Customer, Mailing, Order
from .tasks import send_newsletter


@arguments_for(send_newsletter, "The latest newsletter, to everybody")
def latest_to_everybody(request: HttpRequest) -> Iterator[tuple[int, int]]:
    """Offer these calls on the page of a new batch."""
    mailing = Mailing.objects.order_by("-created_at").first()
    if mailing is not None:
        yield from ((pk, mailing.pk) for pk in Customer.objects.values_list("pk", flat=True))


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """List the customers."""

    list_display = ("name", "email", "city")
    search_fields = ("name", "email")


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """List the orders; adding one scatters its follow-ups."""

    list_display = ("__str__", "customer", "total", "placed_at", "reserved_at", "paid_at")
    list_select_related = ("customer",)
    autocomplete_fields = ("customer",)


@admin.register(Mailing)
class MailingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """List the newsletters; the page of one shows the batches that sent it."""

    list_display = ("subject", "created_at")
    inlines = (BatchInline,)

"""The shop's one page: two buttons, and what came of each."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from django import forms
from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from django_agenda.models import Worker

from .models import Mailing
from .newsletter import Way, send
from .results import latest_result

SUBJECT = "First flush has arrived"
TEXT = "Dear {name},\n\nthe new Darjeeling is here.\n\nYours, The Tea Shop\n"


class NewsletterForm(forms.Form):
    """Ask how many customers, and in how many seconds when it is scattered."""

    mails = forms.IntegerField(min_value=1, max_value=3000)
    seconds = forms.IntegerField(min_value=1, max_value=3600)
    way = forms.ChoiceField(choices=[(way.value, way.value) for way in Way])


@staff_member_required
@require_http_methods(["GET", "HEAD", "POST"])
def newsletter(request: HttpRequest) -> HttpResponse:
    """Show the page; send the newsletter when one of its buttons was pressed."""
    form = NewsletterForm(request.POST or None, initial=_initial())
    if request.method == "POST" and form.is_valid():
        mailing = Mailing.objects.create(subject=SUBJECT, text=TEXT)
        scattered = form.cleaned_data["way"] == Way.SCATTERED
        over = timedelta(seconds=form.cleaned_data["seconds"]) if scattered else None
        send(mailing, mails=form.cleaned_data["mails"], over=over)
        return redirect("newsletter")
    results = [(way, latest_result(way)) for way in Way]
    context = {
        "form": form,
        "limit": settings.PROVIDER_LIMIT,
        "results": results,
        "is_running": any(result and not result.finished for _, result in results),
    }
    return render(request, "shop/newsletter.html", context, status=400 if form.errors else 200)


@staff_member_required
@require_GET
def progress(request: HttpRequest) -> JsonResponse:
    """Give the results by the way they went, null where there is none, and count the workers."""
    results = {way.value: latest_result(way) for way in Way}
    report = {way: asdict(result) if result else None for way, result in results.items()}
    workers = Worker.objects.filter(status=Worker.Status.ACTIVE).count()
    return JsonResponse({**report, "workers": workers})


def _initial() -> dict[str, int]:
    return {"mails": settings.NEWSLETTER_MAILS, "seconds": settings.NEWSLETTER_SECONDS}

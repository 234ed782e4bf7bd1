"""Addresses of the shop."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("", views.newsletter, name="newsletter"),
    path("progress.json", views.progress, name="progress"),
]

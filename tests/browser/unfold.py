"""Addresses of our admin inside django-unfold, which brings templates and styles of its own."""

from __future__ import annotations

from django.urls import path
from unfold.sites import UnfoldAdminSite

from django_agenda.admin import register_on

site = UnfoldAdminSite(name="admin")
register_on(site)

urlpatterns = [path("admin/", site.urls)]

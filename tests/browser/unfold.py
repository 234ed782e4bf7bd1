"""Addresses of our admin inside django-unfold, which brings templates and styles of its own."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path
from unfold.sites import UnfoldAdminSite

site = UnfoldAdminSite(name="admin")
for model, model_admin in admin.site._registry.items():
    site.register(model, type(model_admin))

urlpatterns = [path("admin/", site.urls)]

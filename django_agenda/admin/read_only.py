"""What the admins of this app have in common: they show and change nothing."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse

from django_agenda.models.overview import Overview
from django_agenda.models.unread import read_rows

from .live import FRAME
from .obstacles import obstacles
from .paging import CappedPaginator

STYLE = "django_agenda/admin.css"
# What skins ask for that draw the buttons of a form outside of the content: there are none.
_NO_FORM = dict.fromkeys(
    (
        *("save_as", "show_save", "show_save_and_continue", "show_close", "show_delete"),
        *("has_add_permission", "has_change_permission", "has_delete_permission"),
        "has_editable_inline_admin_formsets",
    ),
    False,
)


# What Django's own filters ask; patterns and ranges would make a database stumble.
_QUESTIONS = ("exact", "in", "isnull", "isempty", "gte", "lt")


class Unchanged:
    """Let nobody add, change or delete anything: rows are made by code."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


class ReadOnlyAdmin(Unchanged, admin.ModelAdmin):  # type: ignore[type-arg]
    """Show rows with a page of their own each; only `view` is ever permitted."""

    actions: Any = None
    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    paginator = CappedPaginator
    # What a list may be asked for by its address, beside its filters.
    lookups: ClassVar[frozenset[str]] = frozenset()
    # See models.unread.read_rows().
    payload_fields: ClassVar[tuple[str, ...]] = ()
    page_template = ""
    empty_template = ""

    @property
    def media(self) -> forms.Media:
        """Return our style sheet alone: these pages need none of the admin's scripts."""
        return forms.Media(css={"all": [STYLE]})

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow what the filters and our own links ask.

        Django allows any question about the fields of the model. Questions about arguments and
        tracebacks would tell those who may not see them what they hold, one letter at a time, and
        some about moments and durations make Django stumble.
        """
        if "\0" in str(value):
            return False
        filters = self.get_list_filter(request) if request else self.list_filter
        names = {name for each in filters for name in _parameters(each)}
        name, _separator, question = lookup.rpartition("__")
        return lookup in self.lookups | names or (name in names and question in _QUESTIONS)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list; what it says when it is empty depends on the model."""
        context = {
            "title": str(self.opts.verbose_name_plural).capitalize(),
            "empty_template": self.empty_template,
            "obstacles": obstacles,
            "overview_url": self.overview_url(request),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one row on its page."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        row = self.seen_row(request, object_id)
        if row is None:
            return self._gone(request, object_id)
        context = {**self.frame(request, row), **self.page_context(request, row)}
        return TemplateResponse(request, self.page_template, context | (extra_context or {}))

    def seen_row(self, request: HttpRequest, object_id: str) -> Any:
        """Return the row, or None when it is gone; raise PermissionDenied without the right."""
        row = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """Return the row, or None when it is gone.

        Django takes one that cannot be decoded for one that is gone: it comes without its payload.
        """
        row = super().get_object(request, object_id, from_field)
        if row is not None or not self.payload_fields:
            return row
        try:
            pk = self.opts.pk.to_python(object_id)
        except ValidationError:
            return None
        rows = self.get_queryset(request).filter(pk=pk)
        return next(iter(read_rows(rows, *self.payload_fields)), None)

    def fragment(self, request: HttpRequest, row: Any, shown: dict[str, Any] | None = None) -> str:
        """Return the page of a row without the frame of the admin around it.

        `shown` is what page_context() says, for those who know it.
        """
        shown = self.page_context(request, row) if shown is None else shown
        context = {**self.frame(request, row), **shown, "frame": FRAME}
        return render_to_string(self.page_template, context, request)

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the page of a row shows beyond the admin's frame."""
        raise NotImplementedError

    def url_of(self, row: Model) -> str:
        """Return the address of a row's page on this admin site, nothing when it has none."""
        if not self.admin_site.is_registered(type(row)):
            return ""
        name = f"{row._meta.app_label}_{row._meta.model_name}_change"
        return reverse(f"admin:{name}", args=[row.pk], current_app=self.admin_site.name)

    def list_url(self, model: type[Model]) -> str:
        """Return the address of a model's list on this admin site."""
        name = f"{model._meta.app_label}_{model._meta.model_name}_changelist"
        return reverse(f"admin:{name}", current_app=self.admin_site.name)

    def overview_url(self, request: HttpRequest) -> str:
        """Return the address of the overview, for those who may see it and are elsewhere."""
        return self.seen_list_url(request, Overview) if self.model is not Overview else ""

    def seen_list_url(self, request: HttpRequest, model: type[Model], **query: str) -> str:
        """Return the address of a model's list for those who may see it, else nothing."""
        if not self.can_see(request, model):
            return ""
        return self.list_url(model) + (f"?{urlencode(query)}" if query else "")

    def can_see(self, request: HttpRequest, model: type[Model]) -> bool:
        """Tell whether this user may see rows of another model on this admin site."""
        site = self.admin_site
        return site.is_registered(model) and site.get_model_admin(model).has_view_permission(
            request
        )

    def frame(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the admin's own templates want to know of the page of a row."""
        request.current_app = self.admin_site.name
        return {
            **self.admin_site.each_context(request),
            "title": str(row),
            "subtitle": None,
            "object_id": getattr(row, "pk", None),
            "original": row,
            "opts": self.opts,
            "media": self.media,
            "add": False,
            "change": True,
            "is_popup": False,
            "has_view_permission": True,
            "obstacles": obstacles,
            "overview_url": self.overview_url(request),
            "preserved_filters": self.get_preserved_filters(request),
            **_NO_FORM,
        }

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        gone: HttpResponseRedirect = self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined]
            request, self.opts, object_id
        )
        return gone


def _parameters(each: Any) -> tuple[str, ...]:
    """Return the names in an address of one of a list's filters."""
    if isinstance(each, tuple):
        return (str(each[0]),)
    names = getattr(each, "parameter_names", None)
    return names or (str(getattr(each, "parameter_name", each)),)

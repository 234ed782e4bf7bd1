"""The batches of a project's own rows, on their pages in the admin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.checks import InlineModelAdminChecks
from django.contrib.admin.options import InlineModelAdmin
from django.core.checks import CheckMessage
from django.db.models import Model, QuerySet
from django.forms.models import BaseModelFormSet, modelformset_factory
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from django_agenda.admin.due_later import hang_later
from django_agenda.admin.overview.batches import BatchRow, row_of
from django_agenda.admin.overview.page import seen_rows
from django_agenda.admin.read_only import STYLE, Unchanged
from django_agenda.clock import now
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.labels import having_labels, label_of

_SHOWN = 20


class _Checks(InlineModelAdminChecks):
    """Ask for no foreign key: a batch has none."""

    def _check_relation(self, obj: Any, parent_model: Any) -> list[CheckMessage]:
        return []

    def _check_exclude_of_parent_model(self, obj: Any, parent_model: Any) -> list[CheckMessage]:
        return []


class _NoForms(BaseModelFormSet):  # type: ignore[type-arg]
    """Be a formset without a form, which takes and changes nothing, and show rows."""

    new_objects: Any = ()
    changed_objects: Any = ()
    deleted_objects: Any = ()
    read: Callable[[], list[BatchRow]]

    def __init__(self, *args: Any, prefix: str | None = None, **more: Any) -> None:
        super().__init__(prefix=prefix, queryset=Batch.objects.none())

    @cached_property
    def rows(self) -> list[BatchRow]:
        """Return what is shown."""
        return self.read()

    @classmethod
    def get_default_prefix(cls) -> str:
        """Return a name that no other inline has."""
        return "agenda-batches"

    def is_valid(self) -> bool:
        """Tell that nothing is wrong."""
        return True

    def has_changed(self) -> bool:
        """Tell that nothing was."""
        return False

    def save(self, commit: bool = True) -> list[Any]:
        """Save nothing."""
        return []


class BatchInline(Unchanged, InlineModelAdmin):  # type: ignore[type-arg]
    """Show the newest batches that are about a row, to those who may see batches.

    A batch knows no models of the project: `batches` says which are meant, by their label unless
    it is overridden. Nothing can be added, changed or deleted here.
    """

    model = Batch
    template = "admin/django_agenda/batch/inline.html"
    checks_class = _Checks
    verbose_name_plural = _("batches")
    extra = 0
    max_num = 0
    can_delete = False
    fields: ClassVar = ()

    @property
    def media(self) -> forms.Media:
        """Return our style sheet alone."""
        return forms.Media(css={"all": [STYLE]})

    def batches(self, rows: QuerySet[Batch], obj: Model) -> QuerySet[Batch]:
        """Keep of the batches those that are about a row of the project."""
        return having_labels(rows, [label_of(obj)])

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return a formset that shows them."""
        empty = modelformset_factory(Batch, formset=_NoForms, fields=(), extra=0, max_num=0)
        return type("Shown", (empty,), {"read": staticmethod(partial(self._read, request, obj))})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return none: there are no forms."""
        return ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this user may see batches on this admin site."""
        site = self.admin_site
        return site.is_registered(Batch) and site.get_model_admin(Batch).has_view_permission(
            request
        )

    def _read(self, request: HttpRequest, obj: Any) -> list[BatchRow]:
        if obj is None or obj.pk is None:
            return []
        moment = now()
        rows = self.batches(seen_rows(self.admin_site, request, Batch), obj)
        shown = rows.order_by("-pk").defer("rollup", "enqueue_error")[:_SHOWN]
        found = list(shown)
        over = [batch for batch in found if batch.end < moment]
        hang_later(seen_rows(self.admin_site, request, Execution), over, moment)
        return [row_of(batch, moment, self._url_of, []) for batch in found]

    def _url_of(self, batch: Batch) -> str:
        return reverse(
            "admin:django_agenda_batch_change",
            args=[batch.pk],
            current_app=self.admin_site.name,
        )

"""The list of operations, and the page of one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override, pgettext
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from django_agenda.admin import live, redaction, wording
from django_agenda.admin.acting import may_do
from django_agenda.admin.actions.buttons import Button
from django_agenda.admin.actions.forms import Wish
from django_agenda.admin.actions.history import deeds, write_down_on
from django_agenda.admin.actions.offer import confirm
from django_agenda.admin.live_row import LiveRowAdmin
from django_agenda.clock import now
from django_agenda.models.execution import Execution
from django_agenda.models.operation import Operation

from .progress import name_of, numbers_of, progress_bar, sentence_of, state_of

_NEXT_S = 2


@admin.register(Operation)
class OperationAdmin(LiveRowAdmin):
    """Show what people asked for of many at once, how far it has come, and let them abort it."""

    list_display = ("label", "state", "outcome", "by", "when")
    list_filter = ("status", "kind")
    search_fields = ("by", "reason", "=id")
    page_template = "admin/django_agenda/operation/page.html"
    empty_template = "admin/django_agenda/operation/empty.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the address that aborts."""
        view, name = self.admin_site.admin_view(self.abort_view), "django_agenda_operation_abort"
        return [path("<path:object_id>/abort/", view, name=name), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        """Leave out what only those need who carry it out: one that is broken breaks no list."""
        return super().get_queryset(request).defer("wish")

    def page_context(self, request: HttpRequest, row: Operation) -> dict[str, Any]:
        """Return how far it has come, and who wants it."""
        moment = now()
        buttons = []
        if row.is_open and not row.abort_requested_at and may_do(request, "abort_operation"):
            label = _("%(action)s …") % {"action": _("Abort")}
            buttons.append(Button(label=label, url=self._abort_url(row)))
        return {
            "title": _("Operation %(number)s") % {"number": row.pk},
            "name": name_of(row),
            "state": state_of(row),
            "sentence": sentence_of(row),
            "bar": progress_bar(row),
            "facts": self._facts(request, row, moment),
            "error": redaction.text(row.error),
            "buttons": buttons,
            "deeds": deeds(row, moment),
            "live": self.live_of(request, row),
        }

    def live_of(self, request: HttpRequest, row: Operation) -> live.Live:
        """Return what changes with every part, until it has ended."""
        next_s = _NEXT_S if row.is_open else 0
        return live.Live(url=self.live_url(row), tag=self._tag(request, row), next_s=next_s)

    @method_decorator(csrf_protect)
    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def abort_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask before an operation is aborted, or abort it."""
        if not may_do(request, "abort_operation"):
            raise PermissionDenied
        row = self.seen_row(request, object_id)
        if row is None:
            return self._gone(request, object_id)
        form = Wish(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            return self._abort(request, row, form)
        return confirm(
            self,
            request,
            _("Abort operation %(number)s") % {"number": row.pk},
            form,
            of=row,
            row=name_of(row),
            effect=_("No further part is begun. What is done already stays done."),
            seen=row.total,
            numbers=numbers_of(row),
            has_work=row.is_open and row.abort_requested_at is None,
            back=self.url_of(row),
        )

    def _abort(self, request: HttpRequest, row: Operation, form: Wish) -> HttpResponse:
        if row.abort():
            with override(None):
                message = " ".join(["Asked to abort.", *form.reasons()])
            write_down_on(str(request.user.pk), row, message)
            self.message_user(request, _("It is aborted, after the part in hand."))
        else:
            self.message_user(request, _("Nothing was changed."), messages.WARNING)
        return HttpResponseRedirect(self.url_of(row))

    @admin.display(description=gettext_lazy("operation"))
    def label(self, operation: Operation) -> SafeString:
        """Return what it does, and why."""
        return format_html(
            '<span class="ag-name">{}</span><span class="ag-sub">#{} {}</span>',
            name_of(operation),
            operation.pk,
            operation.reason,
        )

    @admin.display(description=gettext_lazy("state"))
    def state(self, operation: Operation) -> SafeString:
        """Return its state."""
        return state_of(operation).badge

    @admin.display(description=gettext_lazy("outcome"))
    def outcome(self, operation: Operation) -> SafeString:
        """Return how far it has come."""
        return format_html(
            '<span class="ag-cell-bar">{}</span><span class="ag-sub">{}</span>',
            progress_bar(operation),
            sentence_of(operation),
        )

    @admin.display(description=gettext_lazy("created"))
    def when(self, operation: Operation) -> SafeString | str:
        """Return when it was asked for."""
        return wording.time_tag(operation.created_at, now())

    def _facts(
        self, request: HttpRequest, row: Operation, moment: datetime
    ) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = [
            (pgettext("a person", "By"), row.by),
            (_("Reason"), row.reason),
            (_("Chosen by"), row.filter_text),
            (_("Details"), row.details),
            (_("Created"), wording.time_tag(row.created_at, moment)),
            (_("Started"), wording.time_tag(row.started_at, moment)),
            (_("Ended"), wording.time_tag(row.finished_at, moment)),
        ]
        if row.execution_id and self.can_see(request, Execution):
            url = self.url_of(Execution(pk=row.execution_id))
            link = format_html('<a href="{}">{}</a>', url, _("its execution"))
            found.append((_("Carried out by"), link))
        return [(name, value) for name, value in found if value not in (None, "")]

    def _abort_url(self, row: Operation) -> str:
        name = "admin:django_agenda_operation_abort"
        return reverse(name, args=[row.pk], current_app=self.admin_site.name)

    def _tag(self, request: HttpRequest, row: Operation) -> str:
        return live.make_tag(request, *live.operation_mark(row))

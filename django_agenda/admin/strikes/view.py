"""The list of strikes, the page of one, and the forms that make and restore them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import router, transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, override, pgettext
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from django_agenda.admin import wording
from django_agenda.admin.acting import may_do
from django_agenda.admin.actions.buttons import Button
from django_agenda.admin.actions.forms import SpanWish
from django_agenda.admin.actions.history import deeds, write_down_on
from django_agenda.admin.actions.offer import confirm
from django_agenda.admin.actions.overdue import flood_words
from django_agenda.admin.holds import linked
from django_agenda.admin.paging import LeanList
from django_agenda.admin.read_only import ReadOnlyAdmin
from django_agenda.clock import now
from django_agenda.models.execution import Execution
from django_agenda.models.strike import Strike
from django_agenda.models.unread import read_rows
from django_agenda.scheduling.restore import held_rows, lift

from .form import EmptyWish, StrikeForm

FORM_TEMPLATE = "admin/django_agenda/strike/form.html"
_ask = [csrf_protect, require_http_methods(["GET", "HEAD", "POST"])]


class StrikeList(LeanList):
    """Count what the strikes of a page hold, in one statement."""

    def get_results(self, request: HttpRequest) -> None:
        """Hang the count on each strike."""
        super().get_results(request)
        self.result_list = read_rows(self.result_list, *Strike.PAYLOAD)
        reasons = [one.held_by for one in self.result_list]
        held = Execution.objects.exclude(held_by="").filter(held_by__in=reasons)
        found = held.order_by().values_list("held_by").annotate(count=Count("pk"))
        counts = dict(found)
        for strike in self.result_list:
            strike.held_count = counts.get(strike.held_by, 0)
            strike.held_url = self.model_admin.seen_list_url(  # type: ignore[attr-defined]
                request, Execution, held_by=strike.held_by
            )


@admin.register(Strike)
class StrikeAdmin(ReadOnlyAdmin):
    """Show what is held back and why, and let people strike and restore."""

    list_display = ("label", "holds", "by", "when")
    search_fields = ("task_name", "parameter", "by", "reason", "=id")
    ordering = ("-id",)
    payload_fields = Strike.PAYLOAD
    page_template = "admin/django_agenda/strike/page.html"
    empty_template = "admin/django_agenda/strike/empty.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the list that knows the counts."""
        return StrikeList

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this user may strike."""
        return may_do(request, "add_strike")

    def get_urls(self) -> list[URLPattern]:
        """Add the address that restores; the verb changes chunk by chunk."""
        address = path(
            "<path:object_id>/restore/",
            self.admin_site.admin_view(self.restore_view),
            name="django_agenda_strike_restore",
        )
        transaction.non_atomic_requests(using=router.db_for_write(Strike))(address.callback)
        return [address, *super().get_urls()]

    @method_decorator(_ask)
    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask what is to be held, or hold it."""
        if not (self.has_add_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        form = StrikeForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            if request.POST.get("confirmed") != "yes":
                held = form.preview()
                if held is not None:
                    return self._ask_to_strike(request, *held)
            else:
                made = form.save(request.user.get_username()[:255])
                if made is not None:
                    return self._added(request, *made)
        title = _("Add a strike")
        context = {**self.frame(request, title), "title": title, "form": form}
        context["back"] = self.list_url(Strike)
        return TemplateResponse(request, FORM_TEMPLATE, context)

    @method_decorator(_ask)
    def restore_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask before a strike is restored, or restore it."""
        if not may_do(request, "restore_strike"):
            raise PermissionDenied
        row = self.seen_row(request, object_id)
        if row is None:
            return self._gone(request, object_id)
        form = SpanWish(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                return self._restore(request, row, form)
            except ValueError as error:
                form.add_error(None, str(error))
        return self._ask_to_restore(request, row, form)

    def page_context(self, request: HttpRequest, row: Strike) -> dict[str, Any]:
        """Return what it holds, and who wants it."""
        moment = now()
        buttons = []
        if may_do(request, "restore_strike"):
            label = _("%(action)s …") % {"action": _("Restore")}
            buttons.append(Button(label=label, url=self.restore_url(row)))
        count = held_rows(Execution.objects.db, row.held_by).count()
        return {
            "title": _("Strike %(number)s") % {"number": row.pk},
            "words": row.describe(),
            "sentence": _holds(count),
            "held_url": self.seen_list_url(request, Execution, held_by=row.held_by)
            if count
            else "",
            "facts": _facts(row, moment),
            "buttons": buttons,
            "deeds": deeds(row, moment),
        }

    @admin.display(description=gettext_lazy("strike"))
    def label(self, strike: Strike) -> SafeString:
        """Return what it holds, and why."""
        return format_html(
            '<span class="ag-name">{}</span><span class="ag-sub">{}</span>',
            strike.describe(),
            strike.reason,
        )

    @admin.display(description=gettext_lazy("holds"))
    def holds(self, strike: Strike) -> SafeString | str:
        """Return how many it holds, as a link to them."""
        count = getattr(strike, "held_count", 0)
        url = getattr(strike, "held_url", "") if count else ""
        return linked(wording.count(count), url)

    @admin.display(description=gettext_lazy("created"))
    def when(self, strike: Strike) -> SafeString | str:
        """Return since when it stands."""
        return wording.time_tag(strike.created_at, now())

    def _ask_to_strike(self, request: HttpRequest, held: int, is_all: bool) -> HttpResponse:
        given = [(name, request.POST.get(name, "")) for name in StrikeForm.field_order]
        count = wording.count(held) if is_all else _("at least %s") % wording.count(held)
        shown = [(name, value) for name, value in given if value]
        labels = StrikeForm.base_fields
        return confirm(
            self,
            request,
            _("Strike"),
            EmptyWish(),
            effect=_(
                "From now on nothing that matches is started: it is held until the strike is"
                " restored. What runs already runs to its end."
            ),
            numbers=[
                *((labels[name].label, value) for name, value in shown),
                (_("wait now, and are held as they come due"), count),
            ],
            hidden=[*given, ("confirmed", "yes")],
            has_work=True,
            back=self.list_url(Strike),
        )

    def _added(self, request: HttpRequest, strike: Strike, is_new: bool) -> HttpResponse:
        if is_new:
            user_id: Any = request.user.pk
            said = f"Struck. Reason: {strike.reason}" if strike.reason else "Struck."
            LogEntry.objects.log_actions(user_id, [strike], ADDITION, said)
            words = _("Strike added: %(words)s.") % {"words": strike.describe()}
            self.message_user(request, words, messages.SUCCESS)
        else:
            words = _("This strike stands already.")
            self.message_user(request, words, messages.WARNING)
        return HttpResponseRedirect(self.url_of(strike))

    def _ask_to_restore(self, request: HttpRequest, row: Strike, form: SpanWish) -> HttpResponse:
        held = held_rows(Execution.objects.db, row.held_by)
        count, due = held.count(), held.filter(due_at__lte=now()).count()
        words = _("Restore strike %(number)s") % {"number": row.pk}
        return confirm(
            self,
            request,
            words,
            form,
            of=row,
            row=row.describe(),
            effect=_(
                "What is overdue by now runs at once, or is spread; what has expired meanwhile is"
                " missed, unless it is spread. What another strike or a paused batch holds as well"
                " stays held."
            ),
            seen=count,
            numbers=[(_("held"), wording.count(count)), (_("of them due"), wording.count(due))],
            hint=flood_words(due),
            has_work=True,
            back=self.url_of(row),
        )

    def _restore(self, request: HttpRequest, row: Strike, form: SpanWish) -> HttpResponse:
        count = lift(row, form.wish["over"])
        with override(None):
            message = " ".join([f"Restored, and let {count} go.", *form.reasons()])
        write_down_on(str(request.user.pk), row, message)
        words = ngettext(
            "Restored: %(count)s execution was let go.",
            "Restored: %(count)s executions were let go.",
            count,
        )
        shown = words % {"count": wording.count(count)}
        self.message_user(request, shown, messages.SUCCESS)
        return HttpResponseRedirect(self.list_url(Strike))

    def restore_url(self, row: Strike) -> str:
        """Return the address at which a strike is restored."""
        name = "admin:django_agenda_strike_restore"
        return reverse(name, args=[row.pk], current_app=self.admin_site.name)


def _holds(count: int) -> str:
    words = ngettext("It holds %(count)s execution.", "It holds %(count)s executions.", count)
    return words % {"count": wording.count(count)}


def _facts(row: Strike, moment: datetime) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [
        (_("Task"), row.task_name or _("any")),
        (pgettext("a person", "By"), row.by),
        (_("Reason"), row.reason),
        (_("Created"), wording.time_tag(row.created_at, moment)),
    ]
    return [(name, value) for name, value in found if value not in (None, "")]

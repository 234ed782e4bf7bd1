"""The list of schedules, and the page of one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_protect

from django_agenda.admin import live, states, wording
from django_agenda.admin.acting import ActingAdmin, may_do
from django_agenda.admin.actions.action import Action
from django_agenda.admin.actions.errand import Errand
from django_agenda.admin.actions.of_schedules import OF_SCHEDULES, ScheduleErrand
from django_agenda.admin.holds import linked
from django_agenda.admin.live_row import LiveRowAdmin
from django_agenda.admin.paging import LeanList
from django_agenda.clock import now
from django_agenda.models.execution import Execution
from django_agenda.models.schedule import Schedule

from .edit import edit
from .fresh import live_runs, schedule_next, schedule_tag
from .page import schedule_page, state_of
from .runs import Runs, recent_runs
from .ticks import upcoming

_SHOWN_TIMES = 3
_LATE_MS = 1000


class ScheduleList(LeanList):
    """Load the last runs of the schedules of a page, and not what they are called with."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Leave out payloads, which the list does not show: one that is broken breaks no list."""
        return super().get_queryset(request, *args, **kwargs).defer(*Schedule.PAYLOAD)

    def get_results(self, request: HttpRequest) -> None:
        """Hang its last runs on each schedule."""
        super().get_results(request)
        self.result_list = list(self.result_list)
        found = recent_runs(self.result_list)
        for schedule in self.result_list:
            schedule.recent = found[schedule.pk]


@admin.register(Schedule)
class ScheduleAdmin(LiveRowAdmin, ActingAdmin):
    """Show what runs again and again, and what can be done about it."""

    list_display = ("label", "state", "rule", "next_runs", "last_runs")
    list_filter = ("enabled", "kind")
    search_fields = ("name", "task_name", "=id")
    search_help_text = gettext_lazy("Part of a name or of a task, or a whole number")
    ordering = ("name", "id")
    page_actions = OF_SCHEDULES
    list_actions = OF_SCHEDULES
    payload_fields = Schedule.PAYLOAD
    page_template = "admin/django_agenda/schedule/page.html"
    empty_template = "admin/django_agenda/schedule/empty.html"

    def __init__(self, model: type[Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self.actions = [*self.actions, "duplicate"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the list that knows the last runs."""
        return ScheduleList

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may run schedules now."""
        return may_do(request, "run_schedule")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this user may enable, disable and skip; the row itself is shown only."""
        return may_do(request, "change_schedule")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may delete schedules; Django's own pages for that stay closed."""
        return may_do(request, "delete_schedule")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this user may make schedules."""
        return may_do(request, "add_schedule")

    def get_urls(self) -> list[URLPattern]:
        """Add the address at which a schedule is changed."""
        address = path(
            "<path:object_id>/edit/",
            self.admin_site.admin_view(self.edit_view),
            name="django_agenda_schedule_edit",
        )
        return [address, *super().get_urls()]

    @method_decorator(csrf_protect)
    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Make a schedule; with `?like=` one that begins as another one is."""
        if not (self.has_add_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        key = request.GET.get("like", "")
        like = self.seen_row(request, key) if key else None
        if key and like is None:
            return self._gone(request, key)
        return edit(self, request, None, like)

    def like_url(self, schedule: Schedule) -> str:
        """Return the address at which another one like it is made."""
        name = "admin:django_agenda_schedule_add"
        return f"{reverse(name, current_app=self.admin_site.name)}?like={schedule.pk}"

    @admin.action(description=gettext_lazy("Duplicate"), permissions=["add"])
    def duplicate(self, request: HttpRequest, rows: QuerySet[Schedule]) -> HttpResponse | None:
        """Go to the form of a new schedule like the one that is ticked."""
        chosen = list(rows.order_by()[:2])
        if len(chosen) == 1:
            return HttpResponseRedirect(self.like_url(chosen[0]))
        messages.warning(request, _("Tick one schedule to duplicate it."))
        return None

    @method_decorator(csrf_protect)
    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Change a schedule; what code declares is changed there."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        row = self.seen_row(request, object_id)
        if row is None:
            return self._gone(request, object_id)
        if row.is_declared:
            raise PermissionDenied
        return edit(self, request, row)

    def page_context(self, request: HttpRequest, row: Schedule) -> dict[str, Any]:
        """See schedule_page()."""
        name, may = "admin:django_agenda_schedule_edit", self.has_change_permission(request)
        url = reverse(name, args=[row.pk], current_app=self.admin_site.name)
        is_ours = may and not row.is_declared
        return {
            "page": schedule_page(self, request, row),
            "edit_url": url if is_ours else "",
            "like_url": self.like_url(row) if self.has_add_permission(request) else "",
            "live": self.live_of(request, row),
        }

    def live_of(self, request: HttpRequest, row: Schedule) -> live.Live:
        """Return what changes with its ticks and its runs."""
        runs = live_runs(row)
        return live.Live(
            url=self.live_url(row),
            tag=schedule_tag(request, row, runs),
            next_s=schedule_next(row, runs, now()),
        )

    def _errand(
        self, request: HttpRequest, action: Action, rows: QuerySet[Any], **more: Any
    ) -> Errand:
        nothing = Execution.objects.none()
        return ScheduleErrand(action=action, subjects=rows, executions=nothing, **more)

    @admin.display(description=gettext_lazy("schedule"))
    def label(self, schedule: Schedule) -> SafeString:
        """Return its name above its task, and its labels."""
        labels = format_html_join(
            "", '<span class="ag-label">{}</span>', ((one,) for one in schedule.labels)
        )
        return format_html(
            '<span class="ag-name">{}</span><span class="ag-sub" title="{}">{} {}</span>',
            schedule.name or wording.short_task(schedule.task_name),
            schedule.task_name,
            wording.short_task(schedule.task_name),
            labels,
        )

    @admin.display(description=gettext_lazy("state"))
    def state(self, schedule: Schedule) -> SafeString:
        """Return whether it ticks, and why not."""
        state, why = state_of(schedule, now())
        if not why:
            return state.badge
        return format_html('{}<span class="ag-sub ag-error">{}</span>', state.badge, why[:90])

    @admin.display(description=gettext_lazy("rule"))
    def rule(self, schedule: Schedule) -> SafeString:
        """Return its rule in words, its expression, and what becomes of ticks that are missed."""
        more = [(_("Missed runs"), schedule.get_misfire_display())]
        if schedule.priority is not None:
            more.append((_("Priority"), str(schedule.priority)))
        code = format_html('<span class="ag-sub"><code>{}</code></span>', schedule.expression)
        return format_html(
            "<span>{}</span>{}{}",
            schedule.describe(),
            code if schedule.expression else "",
            format_html_join("", '<span class="ag-sub">{}: {}</span>', more),
        )

    @admin.display(description=gettext_lazy("next runs"))
    def next_runs(self, schedule: Schedule) -> SafeString | str:
        """Return its next ticks; a schedule that does not tick has none."""
        if not schedule.enabled or schedule.next_at is None or schedule.trouble:
            return format_html('<span class="ag-quiet">{}</span>', "–")
        moment = now()
        times = upcoming(schedule, _SHOWN_TIMES, moment) or [schedule.next_at]
        seconds = any(one.second for one in times)
        first, *rest = (wording.time_tag(one, moment, seconds=seconds) for one in times)
        return format_html(
            '<span class="ag-nowrap">{}</span><span class="ag-sub">{}</span>{}',
            first,
            wording.distance(times[0], moment),
            format_html_join(
                "", '<span class="ag-sub ag-nowrap">{}</span>', ((one,) for one in rest)
            ),
        )

    @admin.display(description=gettext_lazy("last runs"))
    def last_runs(self, schedule: Schedule) -> SafeString | str:
        """Return how its last runs went, how the last of all stands, and how late they began."""
        recent: Runs = getattr(schedule, "recent", Runs())
        run = recent.last
        if run is None:
            return format_html('<span class="ag-quiet">{}</span>', _("never"))
        moment = now()
        return format_html(
            '{}{}<span class="ag-sub ag-nowrap">{}</span>{}',
            recent.spark,
            linked(states.of_execution(run, moment).badge, self.url_of(run)),
            wording.time_tag(run.due_at, moment, seconds=False),
            _lateness(recent),
        )


def _lateness(recent: Runs) -> SafeString | str:
    """Say how much later than due the last runs began: the median, and the longest."""
    middle, longest = recent.lateness
    if middle is None or longest is None:
        return ""
    words = _("%(usual)s late, max %(longest)s")
    return format_html(
        '<span class="ag-sub{}">{}</span>',
        " ag-late" if longest > _LATE_MS else "",
        words % {"usual": wording.duration(middle), "longest": wording.duration(longest)},
    )

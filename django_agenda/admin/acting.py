"""What the admins have in common whose rows can be acted upon."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import router, transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from django_agenda.conf import get_settings
from django_agenda.models.batch import Batch
from django_agenda.models.execution import Execution
from django_agenda.models.execution_set import ExecutionQuerySet
from django_agenda.scheduling.health import redis_error

from .actions import page
from .actions.action import Action
from .actions.errand import Errand
from .actions.offer import Offer
from .news import news_view, since_now
from .obstacles import redis_refusal
from .read_only import ReadOnlyAdmin

# What a view wears that asks before it changes anything.
ASKING = (csrf_protect, require_http_methods(["GET", "HEAD", "POST"]))
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


class ActingAdmin(ReadOnlyAdmin):
    """Offer actions on the page of a row and on the list, each by its own permission.

    Every address shows what it would do when it is got, and does it when it is posted.
    """

    page_actions: ClassVar[tuple[Offer, ...]] = ()
    list_actions: ClassVar[tuple[Action, ...]] = ()
    news_template = "admin/django_agenda/news.html"

    def __init__(self, model: type[Model], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self.actions = [_for_list(action) for action in self.list_actions]

    def has_enqueue_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may enqueue what Redis refused, and plan a new batch."""
        return may_do(request, "add_batch")

    def has_control_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may pause, resume, cancel, reschedule and respread."""
        return may_do(request, "control_batch")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may retry, and run now."""
        return may_do(request, "retry_execution")

    def has_worker_permission(self, request: HttpRequest) -> bool:
        """Tell whether this user may quiet, resume and stop workers."""
        return may_do(request, "control_worker")

    def may(self, request: HttpRequest, offer: Offer) -> bool:
        """Tell whether this user may do that."""
        return bool(getattr(self, f"has_{offer.right}_permission")(request))

    def action_url(self, row: Model, offer: Offer) -> str:
        """Return the address of an action on this admin site."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_do"
        args = [quote(str(row.pk)), offer.slug]
        return reverse(name, args=args, current_app=self.admin_site.name)

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the actions, and take it and the list out of ATOMIC_REQUESTS."""
        news = path(
            "new/<int:since>/",
            self.admin_site.admin_view(self.news_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_new",
        )
        urls = [self.act_path(), news, *super().get_urls()]
        for url in urls:
            if str(url.name).endswith("_changelist"):
                self.chunk_by_chunk(url.callback)
        return urls

    def act_path(self) -> URLPattern:
        """Return the address of the actions on the page of a row."""
        view = self.chunk_by_chunk(self.admin_site.admin_view(self.act_view))
        name = f"{self.opts.app_label}_{self.opts.model_name}_do"
        return path("<path:object_id>/do/<slug:slug>/", view, name=name)

    def chunk_by_chunk(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """Take a view out of ATOMIC_REQUESTS: the verbs tell Redis after the commit of a chunk."""
        transaction.non_atomic_requests(using=router.db_for_write(self.model))(view)
        return view

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, with the script that ticks all of a page."""
        media = self.media + forms.Media(js=["admin/js/actions.js"])
        shown = {
            "media": media,
            "news_template": self.news_template,
            **self.news(request),
        }
        return super().changelist_view(request, shown | (extra_context or {}))

    def news(self, request: HttpRequest) -> dict[str, Any]:
        """Return what is kept fresh above the list: `live`, and what its template shows."""
        return {"live": since_now(self, request)}

    def news_view(self, request: HttpRequest, since: int) -> HttpResponse:
        """Answer with what has come since a list was loaded; see the module `news`."""
        return news_view(self, request, since)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **more: Any
    ) -> HttpResponse | None:
        """Refuse primary keys that cannot be one, which Django would stumble over."""
        for pk in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                self.opts.pk.clean(pk, None)
            except ValidationError as error:
                raise BadRequest from error
        return super().response_action(request, queryset, *args, **more)

    @method_decorator(ASKING)
    def act_view(self, request: HttpRequest, object_id: str, slug: str) -> HttpResponse:
        """Ask for what is offered on the page of a row, or carry it out."""
        offer = next((one for one in self.page_actions if one.slug == slug), None)
        if offer is None:
            raise Http404
        if not self.may(request, offer):
            raise PermissionDenied
        return self.act_on(request, object_id, offer)

    def act_on(self, request: HttpRequest, object_id: str, offer: Any) -> HttpResponse:
        """Ask for an action on one row, or carry it out; the right to do it is certain."""
        action: Action = offer
        error = _read_error(request, action)
        row = self.get_object(request, unquote(object_id))
        if row is None and self.has_view_permission(request):
            return self._gone(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            raise PermissionDenied
        subjects = self.get_queryset(request).filter(pk=row.pk)
        errand = self._errand(request, action, subjects, error=error, row=row)
        context = {"back": self.url_of(row), "hidden": []}
        is_wanted = request.method == "POST"
        return self._ask_or_answer(request, errand, context, is_wanted=is_wanted)

    def act_on_list(
        self, request: HttpRequest, action: Action, rows: QuerySet[Any]
    ) -> HttpResponse:
        """Ask for an action on rows of the list, or carry it out; only a POST comes here."""
        is_chosen = request.POST.get("select_across") != "1"
        errand = self._errand(request, action, rows, is_chosen=is_chosen)
        ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
        hidden = [("action", _list_name(action)), ("select_across", "0" if is_chosen else "1")]
        hidden += [(ACTION_CHECKBOX_NAME, pk) for pk in (ticked if is_chosen else ticked[:1])]
        hidden.append(("confirmed", "yes"))
        context = {"back": request.get_full_path(), "hidden": hidden}
        is_wanted = "confirmed" in request.POST
        return self._ask_or_answer(request, errand, context, is_wanted=is_wanted)

    def executions(self, request: HttpRequest) -> ExecutionQuerySet:
        """Return all executions that this admin site lets this user act upon."""
        site = self.admin_site
        found: ExecutionQuerySet = Execution.objects.all()
        if site.is_registered(Execution):
            found = site.get_model_admin(Execution).get_queryset(request)  # type: ignore[assignment]
        return found.order_by()

    def _ask_or_answer(
        self, request: HttpRequest, errand: Errand, context: dict[str, Any], *, is_wanted: bool
    ) -> HttpResponse:
        if errand.action.needs_redis and (error := redis_error()):
            return redis_refusal(self, request, error, context["back"])
        view = page.answer if is_wanted else page.ask
        return view(self, request, errand, context)

    def _errand(
        self, request: HttpRequest, action: Action, rows: QuerySet[Any], **more: Any
    ) -> Errand:
        executions: Any = rows
        if self.model is Batch:
            executions = self.executions(request).filter(batch__in=rows.order_by().values("pk"))
        return Errand(action=action, subjects=rows, executions=executions, **more)


def may_do(request: HttpRequest, codename: str) -> bool:
    """Tell whether this user has a right of this app, and the settings leave it to them."""
    if get_settings().ADMIN_READ_ONLY:
        return False
    return request.user.has_perm(f"django_agenda.{codename}")


def _read_error(request: HttpRequest, action: Action) -> str:
    """Return the fingerprint that narrows an action; refuse one that it would not heed."""
    error = request.GET.get("error", "")
    if error and not (action.is_by_error and _FINGERPRINT.fullmatch(error)):
        raise Http404
    return error


def _list_name(action: Action) -> str:
    return action.slug.replace("-", "_")


def _for_list(action: Action) -> Callable[..., HttpResponse]:
    """Return the action as Django's lists want it."""

    @admin.action(description=action.label, permissions=[action.right])
    def act(model_admin: ActingAdmin, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse:
        return model_admin.act_on_list(request, action, rows)

    act.__name__ = _list_name(action)
    return act

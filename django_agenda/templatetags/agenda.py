"""Tags for the pages of a project, and one for ours: `{% load agenda %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def agenda_nonce(context: template.Context) -> SafeString | str:
    """Return the nonce attribute of the request's content security policy, if it has one."""
    nonce: Any = context.get("csp_nonce") or getattr(context.get("request"), "csp_nonce", "")
    return format_html(' nonce="{}"', nonce) if nonce else ""

"""A name for the page that shows everything at once, so that it has a right and a menu entry."""

from __future__ import annotations

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from .batch import Batch


class Overview(Batch):
    """Stand for the overview in the admin; it has no rows of its own.

    It is a proxy, because a model without a table would stop `dumpdata`.
    """

    class Meta:
        proxy = True
        default_permissions = ()
        permissions = (("view_overview", "Can see the overview"),)
        verbose_name = _("overview")
        # The admin sorts its menu by these names: the space, which nobody sees, puts it first.
        verbose_name_plural = format_lazy(" {}", _("Overview"))

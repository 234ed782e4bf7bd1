"""What workers can be asked for."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

from django_agenda.scheduling.ask import may_quiet, may_resume, may_stop

from .action import Action


def _action(**values: Any) -> Action:
    return Action(right="worker", reach=values["fits"], **values)


QUIET = _action(
    slug="quiet",
    label=pgettext_lazy("to a worker", "Quiet"),
    ask=ngettext_lazy("Quiet %(count)s worker", "Quiet %(count)s workers", "number"),
    done=ngettext_lazy(
        "Asked %(count)s worker to be quiet", "Asked %(count)s workers to be quiet", "number"
    ),
    effect=_(
        "With its next heartbeat a worker claims nothing new. What it runs ends, and it stays"
        " alive until somebody resumes or stops it."
    ),
    fits=may_quiet,
    carry_out=lambda given: given.subjects.quiet(),
)
RESUME = _action(
    slug="resume",
    label=_("Resume"),
    ask=ngettext_lazy("Resume %(count)s worker", "Resume %(count)s workers", "number"),
    done=ngettext_lazy(
        "Asked %(count)s worker to go on", "Asked %(count)s workers to go on", "number"
    ),
    effect=_("With its next heartbeat a worker claims again what is due."),
    fits=may_resume,
    carry_out=lambda given: given.subjects.resume(),
)
STOP = _action(
    slug="stop",
    label=_("Stop"),
    ask=ngettext_lazy("Stop %(count)s worker", "Stop %(count)s workers", "number"),
    done=ngettext_lazy(
        "Asked %(count)s worker to stop", "Asked %(count)s workers to stop", "number"
    ),
    effect=_(
        "As by SIGTERM: nothing new is claimed, what runs may end within the time-out of the"
        " shutdown, and what does not is given back. With a process ends its supervisor, and every"
        " other process of that one. This cannot be taken back; a service manager may start the"
        " worker again."
    ),
    fits=may_stop,
    carry_out=lambda given: given.subjects.stop(),
)
OF_WORKERS = (QUIET, RESUME, STOP)

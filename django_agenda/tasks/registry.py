"""Which names may run: what is registered, and functions of installed apps.

A name that comes from the database never imports anything outside the installed apps, and
nothing is reached through an attribute of something else.
"""

from __future__ import annotations

import difflib
import inspect
from importlib import import_module
from typing import Any, TypeVar

from django.apps import apps

from django_agenda.exceptions import UnknownTask

from .function import check_function
from .task import Task

T = TypeVar("T", bound="Task[..., Any]")

_tasks: dict[str, Task[..., Any]] = {}


def register(task: T) -> T:
    """Make a task known in this process under its name; the last one of a name counts."""
    _tasks[task.name] = task
    return task


def registered() -> dict[str, Task[..., Any]]:
    """Return what is registered in this process, by name."""
    return dict(_tasks)


def resolve(reference: Any) -> Task[..., Any]:
    """Return the task for a task, a module-level function, or a dotted path.

    Raises UnknownTask for a name that nothing answers to, ValueError for a function that no
    other process could find, TypeError for anything else.
    """
    check_reference(reference)
    if isinstance(reference, Task):
        return reference
    if isinstance(reference, str):
        return _lookup_or_explain(reference)
    name = f"{reference.__module__}.{reference.__qualname__}"
    known = _tasks.get(name)
    if known is not None and known.function is reference:
        return known
    return register(Task(reference))


def check_reference(reference: object) -> None:
    """Raise for what can never name a task; a dotted path is trusted until it is resolved."""
    if isinstance(reference, Task | str):
        return
    if not callable(reference):
        raise TypeError(
            f"A task, a function or a dotted path is wanted, not {reference!r:.80}; the arguments"
            " go into the second parentheses, as in add(task)(arguments)"
        )
    check_function(reference)


def lookup(name: str) -> Task[..., Any]:
    """Return the task of that name, or raise UnknownTask."""
    found = _tasks.get(name) or _find_in_installed_apps(name)
    if found is None:
        raise UnknownTask(name)
    return found


def _lookup_or_explain(name: str) -> Task[..., Any]:
    try:
        return lookup(name)
    except UnknownTask as error:
        error.add_note(_way_out(name))
        raise


def _way_out(name: str) -> str:
    """Say what may have been meant by a name that nothing answers to."""
    function_name = name.rpartition(".")[2]
    close = [known for known in sorted(_tasks) if known.rpartition(".")[2] == function_name]
    close = close or difflib.get_close_matches(name, _tasks, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not all(part.isidentifier() for part in name.split(".")):
        return (
            "A name is a dotted path, such as 'shop.tasks.send_reminder'; the arguments of a task"
            " go into the second parentheses, as in add(task)(arguments)."
        )
    return (
        "Known are the tasks in the module 'tasks' of each installed app, what else was imported,"
        " and functions at the top of modules of installed apps."
    )


def _find_in_installed_apps(name: str) -> Task[..., Any] | None:
    module_name, _, function_name = name.rpartition(".")
    if not belongs_to_an_app(module_name):
        return None
    try:
        found = getattr(import_module(module_name), function_name, None)
    except Exception:  # noqa: BLE001
        # Whatever a module of the project raises at its import, the name cannot be run here.
        return None
    if name in _tasks:
        return _tasks[name]
    if not inspect.isfunction(found) or found.__module__ != module_name:
        return None
    if found.__qualname__ != function_name:
        return None
    return register(Task(found))


def belongs_to_an_app(module_name: str) -> bool:
    """Tell whether a module lies in an app that is installed here."""
    return any(
        module_name == config.name or module_name.startswith(f"{config.name}.")
        for config in apps.get_app_configs()
    )

"""The documentation says what the code does: names, defaults, options, links."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import find_commands, load_command_class
from django.core.management.base import CommandParser
from django.db.models import Model
from django.dispatch import Signal

import django_agenda
from django_agenda import checks, signals
from django_agenda.conf import Settings
from django_agenda.models import Attempt, Batch, Execution, Schedule, Worker
from django_agenda.tasks.task import Task
from tests.tutorial.blocks import PAGES, ROOT, blocks

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
LANGUAGES = {"", "python", "pycon", "sh", "ini", "html+django", "json"}
WIDEST = 100
COMMANDS = find_commands(str(Path(django_agenda.__file__).parent / "management"))

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
_DURATION = {"ms": "milliseconds", "s": "seconds", "d": "days"}


def test_the_settings_page_lists_every_key_with_its_default() -> None:
    listed = {row[0].strip("`"): row[1].strip("`") for row in table(REFERENCE / "settings.md")}

    defaults = {field.name: field.default for field in fields(Settings)}

    assert list(listed) == list(defaults)
    for key, default in defaults.items():
        assert read_like(default, listed[key]) == default, key


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_page_lists_every_option(name: str) -> None:
    parser = CommandParser()
    load_command_class("django_agenda", name).add_arguments(parser)
    ours = {option for action in parser._actions for option in action.option_strings}

    rows = table(REFERENCE / "commands.md", section=name)
    listed = [row[0].strip("`").split(" ")[0] for row in rows]

    assert {option for option in listed if option.startswith("--")} == ours - {"-h", "--help"}


def test_the_signals_page_lists_every_signal() -> None:
    listed = {row[0].strip("`") for row in table(REFERENCE / "signals.md") if " " not in row[0]}

    assert listed == {name for name, one in vars(signals).items() if isinstance(one, Signal)}


def test_the_checks_page_lists_every_check() -> None:
    listed = [row[0].strip("`") for row in table(REFERENCE / "checks.md")]

    assert listed == sorted(set(re.findall(r"django_agenda\.[EW]\d{3}", inspect.getsource(checks))))


@pytest.mark.parametrize("model", [Batch, Execution, Attempt, Schedule, Worker])
def test_the_models_page_lists_every_field(model: type[Model]) -> None:
    rows = table(REFERENCE / "models.md", section=model.__name__)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}

    assert listed == {field.name for field in model._meta.concrete_fields}


def test_the_api_page_names_everything_public() -> None:
    text = (REFERENCE / "api.md").read_text(encoding="utf-8")

    missing = [name for name in django_agenda.__all__ if f"django_agenda.{name}" not in text]

    assert missing == []


def test_the_guide_lists_every_option_of_a_task() -> None:
    listed = {row[0].strip("`") for row in table(DOCS / "howto" / "tasks.md", section="Options")}
    parameters = inspect.signature(Task.__init__).parameters.values()

    assert listed == {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}


def test_the_index_of_the_decisions_is_complete_and_in_order() -> None:
    folder = DOCS / "decisions"
    files = sorted(path.name for path in folder.glob("[0-9]*.md"))
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "index.md").read_text("utf-8"))

    assert listed == files
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))


def test_every_decision_has_its_three_parts() -> None:
    for page in (DOCS / "decisions").glob("[0-9]*.md"):
        text = page.read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        assert headings[0].startswith(page.name[:4]), page.name
        assert headings[1:] == ["Context", "Decision", "Consequences"], page.name


def test_every_relative_link_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}" for page in PAGES for target in broken_links(page)
    ]

    assert broken == []


def test_lines_of_prose_are_not_too_wide() -> None:
    wide = [f"{place}: {line}" for place, line in prose() if len(line) > WIDEST]

    assert wide == []


def test_the_voice_is_calm() -> None:
    loud = [f"{place}: {line}" for place, line in prose() if "!" in line.replace("![", "[")]

    assert loud == []


def test_every_block_names_its_language() -> None:
    for page in PAGES:
        for block in blocks(page):
            known = block.language in LANGUAGES or block.language.startswith("{")
            assert known, f"{block.place}: {block.language}"
            if not block.language:
                assert not re.match(r">>> |from |import |@|\$ ", block.text), block.place


def table(page: Path, *, section: str | None = None) -> list[list[str]]:
    """Return the cells of every row of the tables on a page or in one section, without headings."""
    text = page.read_text(encoding="utf-8")
    if section is not None:
        text = re.split(rf"^## {section}\n", text, flags=re.MULTILINE)[1]
        text = re.split(r"^## ", text, flags=re.MULTILINE)[0]
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("|---"):
            rows.pop()
        elif line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def read_like(default: object, text: str) -> object:
    """Read a default as the page writes it: a duration as a number and its unit."""
    if default is None:
        return None if text == "None" else text
    if isinstance(default, timedelta):
        number, unit = text.split(" ")
        return timedelta(**{_DURATION[unit]: float(number)})
    if isinstance(default, bool):
        return text == "True"
    return type(default)(text)  # type: ignore[call-arg]


def broken_links(page: Path) -> Iterator[str]:
    text = without_code(page.read_text(encoding="utf-8"))
    for found in _LINK.finditer(text):
        target = found[1] or found[2]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            yield target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def prose() -> Iterator[tuple[str, str]]:
    """Give every line that is neither code nor a table, with its place."""
    for page in PAGES:
        lines = without_code(page.read_text(encoding="utf-8")).splitlines()
        for number, line in enumerate(lines, 1):
            if not line.startswith("|"):
                yield f"{page.relative_to(ROOT)}:{number}", line


def without_code(text: str) -> str:
    """Empty the fenced blocks, so that the numbers of the lines stay."""
    return re.sub(
        r"^(`{3,}).*?^\1\s*?$",
        lambda found: "\n" * found[0].count("\n"),
        text,
        flags=re.MULTILINE | re.DOTALL,
    )

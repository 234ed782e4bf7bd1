"""Every example of the documentation runs, and answers what the page says."""

from __future__ import annotations

import doctest
import sys
import unittest
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from django_agenda.conf import get_settings
from django_agenda.tasks import recurring
from tests.tutorial.blocks import PAGES, ROOT, Block, blocks

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
README = ROOT / "README.md"

WITH_CODE = [
    page
    for page in PAGES
    if page != README and any(block.language in ("python", "pycon") for block in blocks(page))
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder from which the app `letters` can be imported, and forget it afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(recurring, "_declared", [])
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "letters"]:
        del sys.modules[name]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_run(page: Path, project: Path, redis_server: object) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        if block.file is not None and block.file.endswith("settings.py"):
            check_settings(block)
        elif block.file is not None and block.language == "python":
            write(block, project)
            if block.file.endswith("tests.py"):
                run_tests(block)
        elif block.language == "python":
            exec(compiled(block), names)
        elif block.language == "pycon":
            converse(block, names)


def check_settings(block: Block) -> None:
    """Run a part of a settings file, and read what it says of us as the app would."""
    names: dict[str, Any] = {"DATABASES": {"default": {}}, "INSTALLED_APPS": []}
    exec(compiled(block), names)
    chosen = {name: names[name] for name in ("CACHES", "DJANGO_AGENDA") if name in names}
    caches = {**django_settings.CACHES, **chosen.get("CACHES", {})}
    with override_settings(**{**chosen, "CACHES": caches}):
        get_settings()


def write(block: Block, project: Path) -> None:
    path = project / str(block.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "__init__.py").touch()
    path.write_text(block.text, encoding="utf-8")


def run_tests(block: Block) -> None:
    """Run the tests that a page shows as unittest does."""
    module = import_module(str(block.file).removesuffix(".py").replace("/", "."))
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    assert result.testsRun, block.place
    assert result.wasSuccessful(), result.errors + result.failures


def compiled(block: Block) -> Any:
    """Compile it so that a traceback shows the line of the page."""
    text = "\n" * (block.line - 1) + block.text
    return compile(text, str(block.page), "exec", dont_inherit=True)


def converse(block: Block, names: dict[str, Any]) -> None:
    """Say every line of a dialogue and hold each answer against the page's."""
    example = doctest.DocTestParser().get_doctest(
        block.text, names, block.place, str(block.page), block.line - 1
    )
    example.globs = names
    heard: list[str] = []
    failures = doctest.DocTestRunner(optionflags=OPTIONS).run(
        example, out=heard.append, clear_globs=False
    )
    assert not failures.failed, "".join(heard)

"""What is shipped: every file of the package, and nothing that it does not need."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import django_agenda

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "django_agenda"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    files = {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert shipped == files


@pytest.mark.parametrize(
    "kind",
    ["py.typed", "broker/lua/*.lua", "templates/**/*.html", "static/**/*.css", "locale/**/*.mo"],
)
def test_the_wheel_holds_what_is_not_python(kind: str, wheel: zipfile.ZipFile) -> None:
    here = [str(path.relative_to(ROOT)) for path in PACKAGE.glob(kind)]
    if not here:
        pytest.skip(f"the package has no {kind} yet")

    assert set(here) <= set(wheel.namelist())


def test_the_source_archive_holds_the_compiled_translations(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("sdist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    compiled = {str(path.relative_to(ROOT)) for path in PACKAGE.glob("locale/*/*/django.mo")}
    assert len(compiled) == 5
    assert compiled <= names


def test_it_needs_four_packages_and_no_more(metadata: Message) -> None:
    needed = {
        re.split(r"[^\w-]", line)[0]
        for line in metadata.get_all("Requires-Dist", [])
        if "extra ==" not in line
    }

    assert needed == {"cronsim", "django", "django-redis", "redis"}


def test_django_has_no_upper_bound(metadata: Message) -> None:
    lines = metadata.get_all("Requires-Dist", [])

    assert not [line for line in lines if re.search(r"<|==\s*\d", line)]


def test_the_version_is_the_same_everywhere(metadata: Message) -> None:
    assert metadata["Version"] == django_agenda.__version__


def test_the_locked_versions_hold_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()

    assert lines
    assert [line for line in lines if "://" in line or line.startswith("-")] == []

"""How Sphinx builds these pages: make docs."""

from __future__ import annotations

import sys
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# The reference is read from the docstrings, and models need a project.
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_agenda"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DJANGO_AGENDA={"REDIS": "redis://127.0.0.1:6379/0"},
    USE_TZ=True,
)
django.setup()

from django_agenda import __version__  # noqa: E402

project = "django_agenda"
author = "django_agenda contributors"
copyright = author
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
default_role = "literal"
highlight_language = "text"

html_theme = "furo"
html_title = f"django_agenda {__version__}"
html_theme_options = {"top_of_page_buttons": []}

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"

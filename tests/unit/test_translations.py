"""Every text is marked, and translated into every language that is shipped."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from babel.messages.catalog import Message
from django.utils.translation import gettext, ngettext, override, pgettext

from scripts import messages

LANGUAGES = sorted(messages.PLURALS)
TEMPLATES = sorted(messages.PACKAGE.rglob("*.html"))
_PLACEHOLDER = re.compile(r"%%?(?:\(\w+\))?[sd]|\{\w*\}")
_NO_TEXT_BLOCKS = re.compile(
    r"{% blocktranslate.*?{% endblocktranslate %}|{% block bodyclass %}.*?{% endblock %}", re.DOTALL
)
# Tags, variables and comments of the template; code and names; what is inside of a tag of HTML.
_NO_TEXT = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}|<(code|style|script)\b.*?</\1>|&\w+;", re.DOTALL)
_HTML = re.compile(r"<[^>]*>")
_SPOKEN = re.compile(r"\b(?:aria-label|title|placeholder|alt)=\"([^\"]*)\"")


def entries(language: str) -> Iterator[Message]:
    return (one for one in messages.read(language) if one.id)


def forms(text: object) -> list[str]:
    return [text] if isinstance(text, str) else [str(one) for one in text]  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_is_what_make_messages_writes(language: str) -> None:
    wanted = messages.files(language, messages.updated(language, messages.extracted()))

    stale = [path.name for path, content in wanted.items() if path.read_bytes() != content]

    assert not stale, "Run `make messages`, and translate what it lists."


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language: str) -> None:
    lacking = [one.id for one in entries(language) if not messages.is_translated(one.string)]

    assert lacking == []
    assert not [one.id for one in entries(language) if one.fuzzy]


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_those_of_the_text(language: str) -> None:
    wrong = [
        (one.id, form)
        for one in entries(language)
        for form, text in zip(forms(one.string), _originals(one), strict=True)
        if sorted(_PLACEHOLDER.findall(form)) != sorted(_PLACEHOLDER.findall(text))
    ]

    assert wrong == []


def _originals(entry: Message) -> list[str]:
    """Give each form the text that it translates: where there is but one form, the plural."""
    return forms(entry.id)[-len(forms(entry.string)) :]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_says_anything_that_is_not_marked(path: object) -> None:
    text = _NO_TEXT_BLOCKS.sub("", path.read_text("utf-8"))  # type: ignore[attr-defined]
    bare = _NO_TEXT.sub("", text)

    said = [*_SPOKEN.findall(bare), _HTML.sub(" ", bare)]

    words = [word for part in said for word in re.findall(r"[^\W\d_]{2,}", part)]
    assert words == []


def test_a_text_that_is_marked_anew_is_found() -> None:
    found = {
        text.singular: text
        for text in messages._of_template(
            '{% load i18n %}{% translate "Hush" %}{% translate "due" context "of a bill" %}'
            "{% blocktranslate count n=many %}one {{ n }} day{% plural %}{{ n }} days"
            '{% endblocktranslate %}{{ _("Ho (hum)") }}'
        )
    }

    assert set(found) == {"Hush", "due", "one %(n)s day", "Ho (hum)"}
    assert found["due"].context == "of a bill"
    assert found["one %(n)s day"].plural == "%(n)s days"


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [
        ("de", "1 Ausführung pausieren", "2 Ausführungen pausieren"),
        ("es", "Pausar 1 ejecución", "Pausar 2 ejecuciones"),
        ("fr", "Mettre en pause 1 exécution", "Mettre en pause 2 exécutions"),
        ("ja", "1 件の実行を一時停止", "2 件の実行を一時停止"),
        ("zh-hans", "暂停 1 个执行", "暂停 2 个执行"),
    ],
)
def test_django_finds_the_translations_and_their_plurals(
    language: str, one: str, many: str
) -> None:
    with override(language):
        said = [
            ngettext("Pause %(count)s execution", "Pause %(count)s executions", number)
            % {"count": number}
            for number in (1, 2)
        ]
        assert said == [one, many]
        assert gettext("Queues and health") != "Queues and health"
        assert pgettext("of a worker", "quiet") != "quiet"


def test_in_french_none_is_singular() -> None:
    with override("fr"):
        assert ngettext("%(count)s queue", "%(count)s queues", 0) == "%(count)s file"

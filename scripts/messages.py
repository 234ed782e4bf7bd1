"""Bring the translations up to date: `make messages`.

Reads every marked text out of the Python files and templates of the package, writes it into the
catalogue of each language (`locale/*/LC_MESSAGES/django.po`) beside the translation that is there,
drops what is marked no more, and compiles. Lists what is not translated yet. The tools of GNU
gettext are not needed.

    python scripts/messages.py            # after changing texts, or translations
    python scripts/messages.py --check    # change nothing; exit with 1 if something would change
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "django_agenda"
LOCALE = PACKAGE / "locale"
PLURALS = {
    "de": "nplurals=2; plural=(n != 1);",
    "es": "nplurals=2; plural=(n != 1);",
    "fr": "nplurals=2; plural=(n > 1);",
    "ja": "nplurals=1; plural=0;",
    "zh_Hans": "nplurals=1; plural=0;",
}
# How many texts a function takes: a context first, a plural last.
_MARKS = {"_": "m", "gettext": "m", "ngettext": "mp", "pgettext": "cm", "npgettext": "cmp"}
_CALL = re.compile(r"(?<![\w.])(_|n?p?gettext)\(")


class Text(NamedTuple):
    """Hold one text as it is marked."""

    context: str | None
    singular: str
    plural: str | None

    @property
    def id(self) -> str | tuple[str, str]:
        return self.singular if self.plural is None else (self.singular, self.plural)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    found = extracted()
    is_stale = False
    for language in PLURALS:
        catalogue = updated(language, found)
        lacking = [one for one in catalogue if one.id and not is_translated(one.string)]
        print(f"{language}: {len(found)} texts, {len(lacking)} not translated")
        for one in lacking:
            print(f"    {one.id}")
        is_stale |= bool(lacking)
        for path, content in files(language, catalogue).items():
            if path.exists() and path.read_bytes() == content:
                continue
            is_stale = True
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    return int(check and is_stale)


def extracted() -> dict[Text, list[str]]:
    """Return every marked text with the files that hold it, in the order of both."""
    found: dict[Text, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for text in _of_python(path.read_text("utf-8")):
            found.setdefault(text, []).append(_name(path))
    for path in sorted(PACKAGE.rglob("*.html")):
        for text in _of_template(path.read_text("utf-8")):
            found.setdefault(text, []).append(_name(path))
    return found


def read(language: str) -> Catalog:
    """Return the catalogue of a language as it is stored, or an empty one."""
    path = LOCALE / language / "LC_MESSAGES" / "django.po"
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str, found: dict[Text, list[str]]) -> Catalog:
    """Return the stored translations of what is marked now."""
    stored = read(language)
    catalogue = Catalog(locale=language, fuzzy=False, charset="utf-8")
    for text, places in sorted(found.items(), key=lambda one: (one[1][0], one[0].singular)):
        known = stored.get(text.id, text.context)
        # A text may have been given a plural since.
        is_same = known is not None and isinstance(known.id, str) == (text.plural is None)
        catalogue.add(
            text.id,
            known.string if known is not None and is_same else None,
            locations=[(place, 0) for place in dict.fromkeys(places)],
            context=text.context,
        )
    return catalogue


def is_translated(string: object) -> bool:
    return all(string) if isinstance(string, tuple) else bool(string)


def files(language: str, catalogue: Catalog) -> dict[Path, bytes]:
    """Return what the two files of a catalogue are to hold: the same on every machine."""
    catalogue.header_comment = ""
    catalogue.mime_headers  # noqa: B018  fills in what a header needs
    folder = LOCALE / language / "LC_MESSAGES"
    text, compiled = io.BytesIO(), io.BytesIO()
    write_po(text, catalogue, width=100, include_lineno=False, omit_header=True)
    header = (
        'msgid ""\nmsgstr ""\n"Project-Id-Version: django_agenda\\n"\n'
        f'"Language: {language}\\n"\n"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Content-Transfer-Encoding: 8bit\\n"\n'
        f'"Plural-Forms: {PLURALS[language]}\\n"\n\n'
    )
    content = header.encode() + text.getvalue().lstrip(b"\n")
    write_mo(compiled, _without_dates(read_po(io.BytesIO(content), locale=language), language))
    return {folder / "django.po": content, folder / "django.mo": compiled.getvalue()}


def _without_dates(catalogue: Catalog, language: str) -> Catalog:
    """Give the compiled header no more than Django reads, so that it never changes by itself."""

    headers = [
        ("Language", language),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Plural-Forms", PLURALS[language]),
    ]

    class Plain(Catalog):
        mime_headers = property(lambda _: headers)

    plain = Plain(locale=language, fuzzy=False)
    for one in catalogue:
        if one.id and is_translated(one.string):
            plain.add(one.id, one.string, context=one.context)
    return plain


def _of_python(source: str) -> Iterator[Text]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            text = _text(node, node.func.id.removesuffix("_lazy"))
            if text is not None:
                yield text


def _of_template(source: str) -> Iterator[Text]:
    """Read what Django makes of a template for makemessages: calls between what is no Python."""
    calls = templatize(source)
    for match in _CALL.finditer(calls):
        for end in re.finditer(r"\)", calls[match.end() :]):
            try:
                node = ast.parse(calls[match.start() : match.end() + end.end()], mode="eval").body
            except SyntaxError:
                continue
            if isinstance(node, ast.Call) and (text := _text(node, match[1])) is not None:
                yield text
            break


def _text(node: ast.Call, mark: str) -> Text | None:
    roles = _MARKS.get(mark, "")
    values = [one.value for one in node.args if isinstance(one, ast.Constant)]
    texts = [value for value in values if isinstance(value, str)]
    if not roles or len(texts) < len(roles):
        return None
    by_role = dict(zip(roles, texts, strict=False))
    return Text(by_role.get("c"), by_role["m"], by_role.get("p"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main())

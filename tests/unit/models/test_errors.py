from __future__ import annotations

import pytest

from django_agenda.clock import monotonic, unix_ms
from django_agenda.models.errors import class_name, fingerprint, normalise, storable
from django_agenda.models.identity import uuid7, uuid7_hexes
from tests import tasks


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("customer 5 is gone", "customer 123456 is gone"),
        ("no such user: 'ann'", "no such user: 'bob'"),
        ("cannot reach https://a.example/x?y", "cannot reach https://b.example/"),
        ("<Order object at 0x7f00>", "<Order object at 0x7fff1234>"),
        ("mail to ann@example.com bounced", "mail to bob.b@mail.example.org bounced"),
        ("took 1.5 s", "took 22.75 s"),
    ],
)
def test_what_differs_from_one_occurrence_to_the_next_does_not_count(one: str, other: str) -> None:
    assert fingerprint("run", "ValueError", one) == fingerprint("run", "ValueError", other)


def test_stage_class_words_and_frames_do_count() -> None:
    prints = {
        fingerprint("run", "ValueError", "gone"),
        fingerprint("timeout", "ValueError", "gone"),
        fingerprint("run", "KeyError", "gone"),
        fingerprint("run", "ValueError", "came back"),
        fingerprint("run", "ValueError", "gone", ["a.py:f"]),
        fingerprint("run", "ValueError", "gone", ["a.py:g"]),
    }

    assert len(prints) == 6
    assert all(len(one) == 16 for one in prints)


def test_a_very_long_message_is_normalised_quickly() -> None:
    began = monotonic()

    normalise("'" * 1_000_000)
    normalise("a.b@" * 250_000)
    normalise("/x" * 500_000)

    assert monotonic() - began < 10


def test_built_in_errors_have_no_dots_and_others_do() -> None:
    assert class_name(ValueError) == "ValueError"
    assert class_name(tasks.Refusal) == "tests.tasks.Refusal"


def test_stored_text_has_no_nul_no_lone_surrogate_and_a_limit() -> None:
    assert storable("a\0b", 10) == "a\\x00b"
    assert storable("\ud800", 10).encode()
    assert len(storable("x" * 100, 10)) == 10


def test_ids_are_version_7_and_sort_by_time() -> None:
    one = uuid7()
    hexes = uuid7_hexes(1000)

    assert (one.version, one.variant) == (7, "specified in RFC 4122")
    assert len(set(hexes)) == 1000
    assert all(len(text) == 32 for text in hexes)
    assert abs((one.int >> 80) - unix_ms()) < 5000

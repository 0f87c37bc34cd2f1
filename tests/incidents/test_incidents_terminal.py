from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cli.terminal import safe, say


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice@example.org", "alice@example.org"),
        ("Zoë 東京", "Zoë 東京"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nb\tc\x7f\x9b", r"a\x0ab\x09c\x7f\x9b"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("a\u200bb\u2028c\ufeff", r"a\u200bb\u2028c\ufeff"),
        ("\udcff\ue000\U000e0041", r"\udcff\ue000\U000e0041"),
        ("a\u00a0b\u3000c", r"a\xa0b\u3000c"),
        ("e\u0301", "e\u0301"),
        ("z" + "\u0301" * 5, "z" + "\u0301" * 3 + r"\u0301\u0301"),
    ],
)
def test_what_would_move_the_terminal_is_spelled_out(text: str, expected: str) -> None:
    assert safe(text) == expected


def test_long_text_is_cut() -> None:
    assert safe("x" * 100, 10) == "x" * 9 + "…"
    assert safe("x" * 10, 10) == "x" * 10
    assert len(safe("\x1b" * 10, 10)) == 10


@settings(max_examples=50)
@given(st.text(), st.integers(1, 40))
def test_whatever_comes_is_printable_and_short(text: str, limit: int) -> None:
    shown = safe(text, limit)
    assert len(shown) <= limit
    assert all(character.isprintable() for character in shown)


def test_an_encoding_that_cannot_hold_a_character_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    say("Zoë…")
    sys.stdout.flush()
    assert written.getvalue() == b"Zo\\xeb\\u2026\n"

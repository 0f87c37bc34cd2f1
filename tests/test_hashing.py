from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.hashing import short_id, text_hash

# Logs hold lone surrogates too.
TEXTS = st.text(st.characters())


@given(TEXTS)
def test_a_texts_hash_fits_a_signed_column_and_is_never_nothing(value: str) -> None:
    assert 0 < text_hash(value) < 2**63
    assert text_hash(value) == text_hash(value)


@given(TEXTS, TEXTS)
def test_different_texts_have_different_hashes(one: str, two: str) -> None:
    assert (text_hash(one) == text_hash(two)) == (one == two)


def test_a_hash_that_would_be_nothing_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def digest(self) -> bytes:
            return bytes(8)

    monkeypatch.setattr(hashlib, "blake2b", lambda *_, **__: Nothing())
    assert text_hash("anything") == 1


def test_hashes_are_the_same_on_every_machine() -> None:
    assert text_hash("") == 8238016292129134938
    assert text_hash("ü😀") == 4609265887178746172
    assert short_id("a", "b") == "3c9d591045bc8876"


def test_hashes_do_not_depend_on_the_process() -> None:
    code = "from detector.hashing import *; print(text_hash('x'), short_id('x', 'y'))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {f"{text_hash('x')} {short_id('x', 'y')}\n"}


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_the_parts_of_an_id_cannot_run_into_each_other(one: list[str], two: list[str]) -> None:
    assert (short_id(*one) == short_id(*two)) == (one == two)


@pytest.mark.parametrize(
    ("one", "two"),
    [(["ab", "c"], ["a", "bc"]), (["a"], ["a", ""]), ([], [""]), (["a|b"], ["a", "b"]), (["\x00"], ["", ""])],
)
def test_neighbouring_splits_differ(one: list[str], two: list[str]) -> None:
    assert short_id(*one) != short_id(*two)


@pytest.mark.parametrize("digits", [1, 8, 16, 64])
def test_an_id_has_as_many_digits_as_asked_for(digits: int) -> None:
    told = short_id("x", digits=digits)
    assert len(told) == digits
    assert set(told) <= set("0123456789abcdef")
    assert short_id("x", digits=64).startswith(told)

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from feature_making import quick
from hypothesis import given
from hypothesis import strategies as st

from detector.features import kernels_words as kernels
from detector.features.kernels import LAGS
from detector.features.words import COMMON, MOST_WORDS, Words, WordUse

TEXTS = st.lists(st.text(alphabet="aàb ,'\x00\U0001f600_1", max_size=12), max_size=25)
PROSE = ["the cat sat on the mat", "the dog sat on the cat", "a mat is on the dog"]


def _of(texts: list[str]) -> Words:
    return Words.of(pa.array([text.encode() for text in texts], pa.binary()), np.ones(len(texts), dtype=bool))


def _plain(text: str) -> list[str]:
    return [word for word in re.split(r"[^\w]|_", text.lower()) if word]


@quick
@given(TEXTS)
def test_words_are_those_of_a_plain_split(texts: list[str]) -> None:
    told = _of(texts)
    names: dict[int, str] = {}
    assert np.diff(told.bounds).tolist() == [len(_plain(text)) for text in texts]
    for code, word in zip(told.codes.tolist(), [word for text in texts for word in _plain(text)], strict=True):
        assert names.setdefault(code, word) == word
    assert len(names) == len(set(names.values())) == len(told.vocabulary) == len(set(told.vocabulary.tolist()))


def test_a_word_has_the_same_hash_in_every_log() -> None:
    one, other = _of(["fever and rash"]), _of(["no rash", "FEVER"])
    assert one.hashes[2] == other.hashes[1]
    assert one.hashes[0] == other.hashes[2]


def test_what_is_no_text_has_no_words() -> None:
    blobs = pa.array([b"one two", None, b"\xff\xfe three"], pa.binary())
    told = Words.of(blobs, np.array([False, True, True]))
    assert np.diff(told.bounds).tolist() == [0, 0, 1]


def test_of_an_endless_text_the_first_words_count() -> None:
    told = _of(["a " * 5000, "b"])
    assert np.diff(told.bounds).tolist() == [MOST_WORDS, 1]


def test_pairs_have_an_order_and_stay_within_their_text() -> None:
    hashes, owner = _of(["a b a", "b", "a b"]).pairs()
    assert owner.tolist() == [0, 0, 2]
    assert hashes[0] == hashes[2]
    assert hashes[0] != hashes[1]


def test_repeated_words_are_those_that_stand_before() -> None:
    assert _of(["a b a a", "b a"]).repeated().tolist() == [False, False, True, True, False, False]


def test_the_use_of_words_counts_texts() -> None:
    told = _of(PROSE)
    use = WordUse.of(told)
    assert use is not None
    texts = dict(zip(use.words.tolist(), use.texts_of_word.tolist(), strict=True))
    of = {word: texts[int(told.hashes[i])] for i, word in enumerate(" ".join(PROSE).split())}
    assert of == {"the": 3, "cat": 2, "sat": 2, "on": 3, "mat": 2, "dog": 2, "a": 1, "is": 1}
    # Of 18 words "the" is said again in two texts; "a" and "is" are in one alone. Of 15 pairs six are in one alone.
    assert use.base.tolist() == pytest.approx([2 / 18, 1.0, 2 / 18, 9 / 15])
    assert len(use.commonest) == min(COMMON, len(use.words))


@pytest.mark.parametrize("texts", [[], ["", ""], ["one", "word", "each"]])
def test_no_two_words_are_no_use(texts: list[str]) -> None:
    assert WordUse.of(_of(texts)) is None


def _naive_edit(text: list[int], other: list[int]) -> tuple[int, int, int, int]:
    head = 0
    while head < min(len(text), len(other)) and text[head] == other[head]:
        head += 1
    rest, last = text[head:], other[head:]
    tail = 0
    while tail < min(len(rest), len(last)) and rest[-1 - tail] == last[-1 - tail]:
        tail += 1
    return len(rest) - tail, len(last) - tail, head, tail


@quick
@given(st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=40), st.integers(0, 39))
def test_edits_and_new_words_are_those_of_a_plain_loop(texts: list[list[int]], cut: int) -> None:
    cut = min(cut, len(texts))
    starts = np.array([0, cut, len(texts)], dtype=np.int64)
    bounds = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    codes = np.array([word for text in texts for word in text], dtype=np.int32)
    added, removed, place, after, fresh = (np.full(len(texts), -1, dtype=np.int64) for _ in range(5))
    kernels.smallest_edits(codes, bounds, starts, added, removed, place, after)
    kernels.new_words(codes, bounds, starts, 3, fresh)
    for i, text in enumerate(texts):
        first = 0 if i < cut else cut
        earlier = texts[max(first, i - LAGS) : i][::-1]
        edits = [_naive_edit(text, other) for other in earlier if other != text]
        best = min(edits, key=lambda edit: max(edit[:2]), default=(-1, -1, -1, -1))
        assert (added[i], removed[i], place[i], after[i]) == best
        known = {word for other in earlier for word in other}
        assert fresh[i] == (len(set(text) - known) if i > first else -1)

"""What a search does to texts, and what those do who only look like one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from feature_making import Stream, block_of, ordinary, schema_of

from detector.features import wording
from detector.features.registry import FEATURES
from detector.features.state import Layout, States
from detector.features.words import Words, WordUse
from detector.model import InputKind

LAYOUT = Layout(wording.COLUMNS)
NAMES = [spec.name for spec in FEATURES if spec.family == "wording"]
SUBJECTS = [
    f"{who} {what}" for who in ("nurse", "doctor", "clerk", "porter", "guard") for what in ("saw", "heard", "met")
]
ENDS = [f"the {how} {whom}" for how in ("old", "young", "tired", "angry") for whom in ("patient", "visitor", "driver")]
PROSE = [f"the {subject} {end} in the hall" for subject in SUBJECTS for end in ENDS]
VOCABULARY = sorted({word for text in PROSE for word in text.split()})


def _of(texts: list[str]) -> Words:
    return Words.of(pa.array([text.encode() for text in texts], pa.binary()), np.ones(len(texts), dtype=bool))


SCHEMA = replace(
    schema_of(ordinary(64, dimension=64), kind=InputKind.TEXT), wording=WordUse.of(_of(PROSE))
)  # fmt: skip


def _states(*streams: list[str]) -> States:
    block = block_of(*(Stream(ordinary(len(texts), dimension=64)) for texts in streams), schema=SCHEMA)
    block = replace(block, words=_of([text for texts in streams for text in texts]))
    return States.of(LAYOUT, wording.measure(block, SCHEMA), len(streams))


def _features(*streams: list[str]) -> list[dict[str, float]]:
    told = wording.finish(_states(*streams), SCHEMA)
    return [{name: float(told[name][i]) for name in NAMES} for i in range(len(streams))]


def _shuffled(seed: int = 0) -> list[str]:
    return [PROSE[i] for i in np.random.default_rng(seed).permutation(len(PROSE))]


def test_every_wording_feature_is_registered_and_given() -> None:
    assert set(wording.finish(_states(PROSE), SCHEMA)) == set(NAMES)


def test_ordinary_texts_are_worded_as_ordinary_ones() -> None:
    (told,) = _features(_shuffled())
    assert told["fluency"] == pytest.approx(1.0, abs=0.01)
    assert [told[f"{name}_excess"] for name in ("word_repetition", "common_word", "unknown_word")] == pytest.approx(
        [0.0, 0.0, 0.0], abs=1e-9
    )


def test_a_search_by_substitution_exchanges_one_word_at_a_place() -> None:
    best = PROSE[0].split()
    tried = [[*best[:place], word, *best[place + 1 :]] for place in (1, 4, 5, 8) for word in VOCABULARY[:16]]
    (told,) = _features([" ".join(words) for words in tried])
    assert told["word_exchange_ratio"] > 0.9
    assert told["word_place_repeat_ratio"] > 0.9
    assert told["word_removal_ratio"] < 0.1


def test_an_explainer_takes_words_away_and_brings_none() -> None:
    draw = np.random.default_rng(1)
    texts = []
    for record in PROSE[:10]:
        words = record.split()
        texts += [record, *(" ".join(w for w in words if draw.random() < 0.6) for _ in range(30))]
    (told,) = _features(texts)
    assert told["no_new_word_ratio"] > 0.9
    assert told["one_new_word_ratio"] < 0.1


def test_who_types_adds_at_the_end() -> None:
    typed = [" ".join(text.split()[:n]) for text in PROSE[:20] for n in range(1, 9)]
    (told,) = _features(typed)
    assert told["word_addition_ratio"] > 0.8
    assert told["edit_at_end_ratio"] > 0.9


def test_words_that_nobody_writes_side_by_side_are_not_fluent() -> None:
    draw = np.random.default_rng(2)
    salad = [" ".join(draw.choice(VOCABULARY, 8)) for _ in range(100)]
    told, other = _features(salad, _shuffled())
    assert told["fluency"] < 0.5 < other["fluency"]
    assert told["common_word_excess"] == pytest.approx(0.0, abs=1e-9)


def test_a_text_that_grows_has_a_trend() -> None:
    (told,) = _features([" ".join(VOCABULARY[: 1 + n // 8]) for n in range(160)])
    assert told["text_length_trend"] == pytest.approx(1.0, abs=0.01)


def test_letters_exchanged_make_unknown_words() -> None:
    (told,) = _features([text.replace("a", "4") for text in PROSE])
    assert told["unknown_word_excess"] > 0.2


def test_no_texts_are_null() -> None:
    vectors = schema_of(ordinary(64))
    block = block_of(Stream(ordinary(50)), schema=vectors)
    told = wording.finish(States.of(LAYOUT, wording.measure(block, vectors), 1), vectors)
    assert all(np.isnan(told[name]).all() for name in NAMES)


def test_one_text_again_and_again_is_compared_with_nothing() -> None:
    (told,) = _features([PROSE[0]] * 200)
    assert np.isnan(told["word_exchange_ratio"])


def test_two_parts_of_a_night_merge_to_their_sum() -> None:
    halves = _states(PROSE[:90], PROSE[90:])
    merged = halves.merged(np.zeros(2, dtype=np.int64), 1)
    np.testing.assert_array_equal(merged["words"], [halves["words"].sum()])
    np.testing.assert_array_equal(merged["exchanged"], [halves["exchanged"].sum()])

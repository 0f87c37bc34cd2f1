from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from detector.canary.mixing import LEVELS, RecordMixer, TextMixer, VectorMixer
from detector.features.schema import RecordField

FIELDS = (RecordField("age"), RecordField("flag"), RecordField("sex", ("f", "m")), RecordField("none", ()))
RAW = np.array([[20.5, 0, 1, 0], [30.25, 1, 0, 1], [41.75, 1, 0, 0]] + [[50.0 + n, 0, 1, 0] for n in range(9)])
levels = pytest.mark.parametrize("level", range(LEVELS))


@levels
def test_records_keep_to_the_values_that_were_seen(level: int) -> None:
    table = RecordMixer.of(FIELDS, RAW).draw(level, 200, np.random.default_rng(0))
    assert table.schema.types == [pa.float64(), pa.int64(), pa.string(), pa.string()]
    age = table["age"].to_numpy()
    assert (age.min() >= 20.5, age.max() <= 58.0) == (True, True)
    np.testing.assert_array_equal(age, age.round(2))
    assert set(table["flag"].to_pylist()) == {0, 1}
    assert set(table["sex"].to_pylist()) == {"f", "m", None}
    assert table["none"].null_count == 200


def test_two_parents_are_blended_and_any_parents_picked() -> None:
    mixer = VectorMixer(np.array([[0.0] * 16, [1.0] * 16, [0.123] * 16], dtype=np.float32))
    near, far = (
        np.stack(mixer.draw(level, 100, np.random.default_rng(1))["input_vector"].to_numpy()) for level in (0, 2)
    )
    assert set(np.unique(far)) == set(np.array([0, 1, 0.123], dtype=np.float32))
    assert len(np.unique(near)) > 50
    # A blend changes at the ends of runs only.
    assert (np.diff(near, axis=1)[:, ::2] == 0).all()


@levels
def test_texts_are_made_of_known_words(level: int) -> None:
    mixer = TextMixer((("a", "b", "c", "d"), ("e",), ("f", "g")))
    texts = mixer.draw(level, 100, np.random.default_rng(2))["text"].to_pylist()
    assert {word for text in texts for word in text.split()} == set("abcdefg")
    assert min(map(len, texts)) >= 1


def test_numbers_keep_the_digits_that_32_bits_tell() -> None:
    held = np.random.default_rng(3).normal(size=(20, 2)) * [1.0, 1e-4]
    fields = (RecordField("x"), RecordField("y"))
    drawn = RecordMixer.of(fields, held).draw(2, 50, np.random.default_rng(4))
    for at, name in enumerate("xy"):
        gaps = np.abs(drawn[name].to_numpy()[:, None] - held[None, :, at]).min(axis=1)
        assert gaps.max() <= 1e-6 * np.abs(held[:, at]).max()


def test_words_for_truth_are_written_as_truth() -> None:
    mixer = RecordMixer.of((RecordField("paid", ("false", "true")),), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert mixer.draw(2, 4, np.random.default_rng(5)).schema.types == [pa.bool_()]

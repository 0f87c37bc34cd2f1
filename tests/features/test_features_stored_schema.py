from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from feature_making import ordinary, quick, schema_of
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import FeatureError
from detector.features.schema import WORDING, ModelSchema, RecordField
from detector.features.words import Words, WordUse
from detector.model import InputKind

RECORDS = schema_of(
    ordinary(40, dimension=4),
    kind=InputKind.RECORD,
    fields=(RecordField("age"), RecordField('a "quoted", dotted.name', ("", "ü", "'; DROP TABLE query; --"))),
)

PROSE = pa.array([b"one two three", b"two three four", b"three four"], pa.binary())
TEXTS = replace(
    schema_of(ordinary(40, dimension=64), kind=InputKind.TEXT),
    wording=WordUse.of(Words.of(PROSE, np.ones(3, dtype=bool))),
)


def _read(body: str, arrays: bytes) -> ModelSchema:
    return ModelSchema.load("m", 1, "2026-11-10", body, arrays)


def test_a_schema_comes_back_as_it_was_stored() -> None:
    back = _read(RECORDS.body(), RECORDS.arrays())
    np.testing.assert_array_equal(RECORDS.reference, back.reference)
    np.testing.assert_array_equal(RECORDS.scale, back.scale)
    assert back.fields == RECORDS.fields
    assert (back.kind, back.dimension, back.classes, back.positions) == (
        InputKind.RECORD,
        4,
        ("a", "b", "c"),
        RECORDS.positions,
    )
    assert back.body() == RECORDS.body()
    assert back.arrays() == RECORDS.arrays()
    assert back.unit == RECORDS.unit


def test_the_wording_of_texts_comes_back_as_it_was_stored() -> None:
    back = _read(TEXTS.body(), TEXTS.arrays())
    assert back.wording is not None
    assert TEXTS.wording is not None
    for name, stored in TEXTS.wording.__dict__.items():
        np.testing.assert_array_equal(stored, getattr(back.wording, name))
    assert _read(RECORDS.body(), RECORDS.arrays()).wording is None


def test_counts_of_other_words_are_refused() -> None:
    arrays = dict(np.load(io.BytesIO(TEXTS.arrays())))
    for name in WORDING:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays | {name: arrays[name][:1]})
        with pytest.raises(FeatureError, match="do not belong to the words"):
            _read(TEXTS.body(), buffer.getvalue())


@quick
@given(where=st.integers(0, 10_000), to=st.integers(1, 255), kept=st.floats(0, 1))
def test_damaged_arrays_are_the_stages_own_error_or_are_read_unchanged(where: int, to: int, kept: float) -> None:
    blob = bytearray(RECORDS.arrays())
    blob[where % len(blob)] ^= to
    del blob[int(kept * len(blob)) :]
    try:
        back = _read(RECORDS.body(), bytes(blob))
    except FeatureError as error:
        assert "stored schema 1 of model 'm'" in str(error)  # noqa: PT017 - either outcome is right
    else:
        np.testing.assert_array_equal(RECORDS.reference, back.reference)


@pytest.mark.parametrize("blob", [b"", b"PK", b"no zip at all", b"\x93NUMPY"])
def test_bytes_that_are_no_archive_are_the_stages_own_error(blob: bytes) -> None:
    with pytest.raises(FeatureError, match="stored schema 1 of model 'm' cannot be read"):
        _read(RECORDS.body(), blob)


def test_a_lone_array_or_a_pickle_is_not_read() -> None:
    lone, pickled = io.BytesIO(), io.BytesIO()
    np.save(lone, RECORDS.scale)
    np.savez(pickled, scale=np.array([{}], dtype=object), reference=RECORDS.reference)
    for blob in (lone.getvalue(), pickled.getvalue()):
        with pytest.raises(FeatureError, match="cannot be read"):
            _read(RECORDS.body(), blob)


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"kind": 9}', '"text"', "7"])
def test_a_damaged_body_is_the_stages_own_error(body: str) -> None:
    with pytest.raises(FeatureError, match="cannot be read"):
        _read(body, RECORDS.arrays())


def test_arrays_of_another_shape_are_refused() -> None:
    other = json.loads(RECORDS.body()) | {"dimension": 5}
    with pytest.raises(FeatureError, match="belong to another one"):
        _read(json.dumps(other), RECORDS.arrays())

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
import pytest

from detector.model import InputKind, ProbabilityKind
from detector.store import decode


def _positions(*values: float) -> bytes:
    return np.array(values, dtype="<f4").tobytes()


def _named(*pairs: tuple[int, float]) -> bytes:
    return b"".join(struct.pack("<If", code, value) for code, value in pairs)


def test_positions_named_and_absent_answers_share_columns() -> None:
    kinds = pa.array([ProbabilityKind.POSITIONS, ProbabilityKind.NAMED, ProbabilityKind.NONE], pa.int16())
    blobs = pa.array([_positions(0.25, 0.75), _named((7, 0.5), (9, 0.125)), None], pa.binary())
    got = decode.probability_matrix(kinds, blobs, {7: "cat", 9: "owl"}, {0: "cat", 1: "dog"})
    nan = np.nan
    assert got.classes == ("cat", "dog", "owl")
    np.testing.assert_array_equal([[0.25, 0.75, nan], [0.5, nan, 0.125], [nan, nan, nan]], got.values)


def test_top_k_and_damaged_blobs_are_absent_not_zero() -> None:
    kinds = pa.chunked_array([pa.array([1, 1], pa.int16()), pa.array([1, 1], pa.int16())])
    blobs = pa.chunked_array([[_positions(0.5, np.nan, 0.25), b"abc"], [_positions(1.0), None]], pa.binary())
    got = decode.probability_matrix(kinds, blobs, {})
    nan = np.nan
    assert got.classes == ("0", "1", "2")
    np.testing.assert_array_equal([[0.5, nan, 0.25], [nan] * 3, [1.0, nan, nan], [nan] * 3], got.values)


def test_unknown_codes_keep_their_number_and_repeated_names_their_column() -> None:
    got = decode.probability_matrix([2], pa.array([_named((4, 0.5))]), {})
    assert got.classes == ("code 4",)
    both = decode.probability_matrix([1], pa.array([_positions(0.5, 0.5)]), {}, {0: "a", 1: "a"})
    assert both.classes == ("a", "a (position 1)")


@pytest.mark.parametrize("size", [0, 1, 7])
def test_any_number_of_rows_decodes(size: int) -> None:
    blobs = pa.array([_positions(1.0, 2.0)] * size, pa.binary())
    assert decode.probability_matrix([1] * size, blobs, {}).values.shape == (size, 2 if size else 0)
    assert decode.input_matrix(blobs, 2).shape == (size, 2)


def test_a_slice_decodes_as_the_rows_it_shows() -> None:
    blobs = pa.array([_positions(float(i), float(-i)) for i in range(6)], pa.binary()).slice(2, 3)
    np.testing.assert_array_equal([[2, -2], [3, -3], [4, -4]], decode.input_matrix(blobs, 2))


def test_position_names_come_from_the_label_of_the_maximum() -> None:
    rows = [_positions(0.9, 0.1, 0.0), _positions(0.2, 0.8, 0.0), _positions(0.7, 0.2, 0.1), _positions(0.5, 0.5, 0.0)]
    labels = pa.array(["benign", "malignant", "benign", "malignant"])
    assert decode.position_names([1] * 4, pa.array(rows), labels) == {0: "benign", 1: "malignant"}


def test_positions_called_by_their_number_name_the_unseen_ones_too() -> None:
    rows = [_positions(0.0, 1.0, 0.0), _positions(0.0, 0.2, 0.7)]
    assert decode.position_names([1, 1], pa.array(rows), ["1", "2"]) == {0: "0", 1: "1", 2: "2"}


def test_rows_without_label_or_probabilities_name_nothing() -> None:
    blobs = pa.array([None, _positions(0.0, 1.0)], pa.binary())
    assert decode.position_names([0, 1], blobs, pa.array(["1", None])) == {}
    assert decode.position_names([], pa.array([], pa.binary()), pa.array([], pa.string())) == {}


def test_inputs_of_another_length_are_nan() -> None:
    blobs = pa.array([_positions(1.0, 2.0), None, _positions(1.0), b"xy"], pa.large_binary())
    nan = np.nan
    np.testing.assert_array_equal([[1, 2], [nan, nan], [nan, nan], [nan, nan]], decode.input_matrix(blobs, 2))


def test_the_dimension_is_the_commonest_length_of_vectors() -> None:
    kinds = [InputKind.VECTOR, InputKind.VECTOR, InputKind.VECTOR, InputKind.TEXT, InputKind.NONE]
    blobs = pa.array([_positions(1, 2), _positions(1, 2), _positions(1, 2, 3), b"a text of some length", None])
    assert decode.vector_dimension(kinds, blobs) == 2
    assert decode.vector_dimension([0], pa.array([None], pa.binary())) == 0


def test_records_and_texts() -> None:
    blobs = pa.array([b'{"age":41}', b"[1]", b"{", None], pa.binary())
    assert decode.records(blobs) == [{"age": 41}, None, None, None]
    assert decode.texts(pa.array(["é".encode(), b"\xff", None], pa.binary())) == ["é", "�", None]

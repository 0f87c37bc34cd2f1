"""Entropies, requests and data quality: shares of counts."""

from __future__ import annotations

import numpy as np
import pytest
from feature_making import Stream, answers, feature, features_of, ordinary, quick, schema_of
from hypothesis import given
from hypothesis import strategies as st

from detector.features.block import OPERATIONS
from detector.features.schema import field_bins
from detector.model import RowFlag

REFERENCE = ordinary(1024)
SCHEMA = schema_of(REFERENCE)
PREDICT, EXPLAIN, GRADIENTS = (OPERATIONS.index(name) for name in ("predict", "explain", "gradients"))


def test_the_reference_fills_its_own_bins_evenly() -> None:
    assert feature(SCHEMA, "input_entropy", Stream(REFERENCE)) == pytest.approx(1.0, abs=1e-3)


def test_a_search_in_a_corner_fills_few_bins() -> None:
    corner = REFERENCE.max(axis=0) + 0.01 * np.random.default_rng(1).normal(size=(200, 8))
    told = features_of(SCHEMA, Stream(corner)).iloc[0]
    assert told["input_entropy"] == 0.0
    assert told["query_entropy"] == 1 / 200


@pytest.mark.parametrize("rows", [10, 400])
def test_distinct_cells_are_counted(rows: int) -> None:
    view = ordinary(rows, 5)
    cells = len(np.unique(field_bins(view, SCHEMA), axis=0))
    assert feature(SCHEMA, "query_entropy", Stream(view)) == cells / rows


def test_a_health_probe_has_one_cell_and_one_input() -> None:
    told = features_of(SCHEMA, Stream(np.repeat(ordinary(1), 500, axis=0))).iloc[0]
    assert told["query_entropy"] == 1 / 500
    assert told["duplicate_ratio"] == 499 / 500


@quick
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_repetitions_are_those_of_known_inputs(hashes: list[int]) -> None:
    known = [value for value in hashes if value]
    got = feature(SCHEMA, "duplicate_ratio", Stream(hashes=np.array(hashes)))
    assert got == ((len(known) - len(set(known))) / len(known) if known else pytest.approx(np.nan, nan_ok=True))


@pytest.mark.parametrize(
    ("label", "entropy"),
    [
        ([0, 1, 2] * 10, 1.0),
        ([0] * 30, 0.0),
        ([0, 1] * 15, np.log(2) / np.log(3)),
        ([0] * 9, np.nan),
        ([-1] * 30, np.nan),
    ],
)
def test_label_entropy_is_over_the_models_classes(label: list[int], entropy: float) -> None:
    np.testing.assert_allclose(feature(SCHEMA, "label_entropy", Stream(label=np.array(label))), entropy, atol=1e-12)


def test_a_model_of_one_class_has_no_entropy_of_labels() -> None:
    one = schema_of(ordinary(64), classes=1)
    assert feature(one, "label_entropy", Stream(label=np.zeros(30))) == 0.0


def test_unknown_requests_are_left_out_of_the_ratio() -> None:
    stream = Stream(scored=np.array([1, 1, 1, 0, -1, -1]))
    assert feature(SCHEMA, "confidence_request_ratio", stream) == 0.75
    assert np.isnan(feature(SCHEMA, "confidence_request_ratio", Stream(scored=np.full(6, -1))))
    assert np.isnan(feature(SCHEMA, "confidence_request_lift", Stream(scored=np.full(6, -1))))


def test_lift_compares_with_all_clients_together() -> None:
    greedy, modest = Stream(scored=np.ones(100)), Stream(scored=np.zeros(300))
    told = features_of(SCHEMA, greedy, modest)["confidence_request_lift"]
    everyone = 101 / 402
    np.testing.assert_allclose(told, np.log([101 / 102 / everyone, 1 / 302 / everyone]))


def test_a_model_that_answers_everybody_alike_lifts_nobody() -> None:
    told = features_of(SCHEMA, *(Stream(scored=np.ones(n)) for n in (10, 1000)))["confidence_request_lift"]
    assert told.abs().max() < 0.1


def test_operations_are_shares_of_all() -> None:
    stream = Stream(operation=np.array([PREDICT] * 6 + [EXPLAIN] * 3 + [GRADIENTS]))
    assert feature(SCHEMA, "explain_ratio", stream) == 0.3
    assert feature(SCHEMA, "gradient_ratio", stream) == 0.1


@pytest.mark.parametrize(
    ("params", "rotation"), [([7] * 20, 0.0), (list(range(1, 21)), 0.95), ([0] * 20, np.nan), ([5] * 9, np.nan)]
)
def test_rotation_is_the_share_of_further_parameter_sets(params: list[int], rotation: float) -> None:
    np.testing.assert_allclose(feature(SCHEMA, "parameter_rotation", Stream(params=np.array(params))), rotation)


def test_errors_are_shares_of_known_statuses() -> None:
    assert feature(SCHEMA, "error_ratio", Stream(status=np.array([200, 204, 399, 400, 503, -1, -1]))) == 0.4
    assert np.isnan(feature(SCHEMA, "error_ratio", Stream(status=np.full(5, -1))))


def test_flags_are_shares_of_all_queries() -> None:
    flags = np.array([0, 0, int(RowFlag.ID_REUSED), int(RowFlag.NON_FINITE | RowFlag.ID_REUSED), int(RowFlag.TEXT_CUT)])
    assert feature(SCHEMA, "flagged_ratio", Stream(flags=flags)) == 0.6
    assert feature(SCHEMA, "id_reuse_ratio", Stream(flags=flags)) == 0.4


def test_inputs_that_cannot_be_read_have_no_cell() -> None:
    view = ordinary(200, 6)
    holed = np.concatenate([view, np.full((50, 8), np.nan)])
    one, two = features_of(SCHEMA, Stream(view)).iloc[0], features_of(SCHEMA, Stream(holed)).iloc[0]
    for name in ("input_entropy", "query_entropy"):
        assert one[name] == two[name]
    assert np.isnan(feature(SCHEMA, "query_entropy", Stream(np.full((50, 8), np.nan))))


def test_an_entity_alone_and_beside_others_is_the_same() -> None:
    streams = [Stream(ordinary(n, n), answers(ordinary(n, n)), params=np.arange(n) % 3) for n in (1, 40, 300)]
    together = features_of(SCHEMA, *streams).drop(columns="confidence_request_lift")
    for position, stream in enumerate(streams):
        alone = features_of(SCHEMA, stream).drop(columns="confidence_request_lift")
        np.testing.assert_allclose(together.iloc[position], alone.iloc[0], rtol=1e-6)

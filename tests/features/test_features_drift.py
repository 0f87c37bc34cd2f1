from __future__ import annotations

import numpy as np
import pytest
from feature_making import Stream, answers, feature, features_of, ordinary, schema_of
from scipy.stats import wasserstein_distance

from detector.features.distances import nearest_distances
from detector.features.views import unseen_categories

REFERENCE = ordinary(1024)
SCHEMA = schema_of(REFERENCE)
DRIFT = ("input_psi_mean", "input_psi_max", "sliced_wasserstein", "off_manifold_ratio", "noise_likeness")


def test_the_reference_does_not_drift_from_itself() -> None:
    told = features_of(SCHEMA, Stream(REFERENCE)).iloc[0]
    assert told["input_psi_mean"] < 0.01
    assert told["input_psi_max"] < 0.01
    assert told["sliced_wasserstein"] < 0.25
    assert told["off_manifold_ratio"] < 0.05
    assert told["edge_value_ratio"] == pytest.approx(0.0, abs=0.02)


def test_ordinary_inputs_hardly_drift() -> None:
    told = features_of(SCHEMA, *(Stream(ordinary(400, seed)) for seed in range(1, 21)))
    assert told["input_psi_mean"].mean() < 0.02
    assert told["off_manifold_ratio"].mean() < 0.05
    assert told["noise_likeness"].max() < 0.2


def test_a_field_swept_moves_its_own_index_and_hardly_the_mean() -> None:
    view = ordinary(400, 3)
    view[:, 2] = np.linspace(view[:, 2].min(), view[:, 2].max() * 3, 400)
    told = features_of(SCHEMA, Stream(view)).iloc[0]
    assert told["input_psi_max"] > 0.5
    assert told["input_psi_max"] > 5 * told["input_psi_mean"]


def test_noise_lies_off_the_manifold() -> None:
    noise = np.random.default_rng(4).normal(size=(200, 8)) * REFERENCE.std(axis=0)
    told = features_of(SCHEMA, Stream(noise)).iloc[0]
    assert told["off_manifold_ratio"] > 0.5
    assert told["noise_likeness"] > 0.25


def test_noise_likeness_is_the_energy_outside_the_main_components() -> None:
    _, _, vectors = np.linalg.svd(REFERENCE - REFERENCE.mean(axis=0), full_matrices=False)
    rank = SCHEMA.basis.shape[1]
    view = REFERENCE.mean(axis=0) + 3.0 * vectors[0] + 4.0 * vectors[rank]
    assert feature(SCHEMA, "noise_likeness", Stream(np.repeat(view[None], 30, axis=0))) == pytest.approx(0.64, abs=1e-4)


def test_an_input_in_the_middle_of_the_reference_is_no_noise() -> None:
    view = np.repeat(REFERENCE.mean(axis=0)[None], 30, axis=0)
    assert feature(SCHEMA, "noise_likeness", Stream(view)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_the_sliced_distance_is_the_mean_of_wassersteins(shift: float) -> None:
    view = ordinary(64, 5) + shift
    projected, base = view @ SCHEMA.directions, REFERENCE @ SCHEMA.directions
    expected = np.mean([wasserstein_distance(projected[:, k], base[:, k]) / base[:, k].std() for k in range(16)])
    assert feature(SCHEMA, "sliced_wasserstein", Stream(view)) == pytest.approx(expected, abs=0.1)


def test_values_at_the_edges_are_counted_against_the_references_own() -> None:
    view = ordinary(64, 6)
    view[:, 0], view[:, 1] = REFERENCE[:, 0].max(), REFERENCE[:, 1].min() - 5
    inside = ((view > SCHEMA.low) & (view < SCHEMA.high)).mean()
    got = feature(SCHEMA, "edge_value_ratio", Stream(view))
    assert got == pytest.approx(1.0 - inside - SCHEMA.edge_share, abs=1e-6)


@pytest.mark.parametrize(("rows", "known"), [(9, set()), (10, {"sliced_wasserstein"}), (49, {"sliced_wasserstein"})])
def test_too_few_inputs_tell_nothing_of_a_distribution(rows: int, known: set[str]) -> None:
    told = features_of(SCHEMA, Stream(ordinary(rows, 7))).iloc[0]
    of_distribution = ["input_psi_mean", "input_psi_max", "sliced_wasserstein"]
    assert {name for name in of_distribution if not np.isnan(told[name])} == known


def test_without_inputs_nothing_is_told() -> None:
    told = features_of(SCHEMA, Stream(probabilities=answers(ordinary(100)))).iloc[0]
    for name in (*DRIFT, "edge_value_ratio", "unseen_category_ratio"):
        assert np.isnan(told[name])


def test_inputs_that_cannot_be_read_are_left_out() -> None:
    view = ordinary(60, 8)
    with_holes = np.full((64, 8), np.nan, dtype=np.float32)
    with_holes[[i for i in range(64) if i % 16]] = view
    whole, holed = features_of(SCHEMA, Stream(view)).iloc[0], features_of(SCHEMA, Stream(with_holes)).iloc[0]
    for name in (*DRIFT, "edge_value_ratio"):
        assert holed[name] == pytest.approx(whole[name], rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, 3.3, -100.0])
def test_a_model_that_was_only_ever_asked_one_thing_is_measured(value: float) -> None:
    # Every client of the first night was a health probe.
    schema = schema_of(np.full((20, 8), value))
    probe, other = Stream(np.full((60, 8), value)), Stream(ordinary(60))
    told = features_of(schema, probe, other, probe)
    for position in (0, 2):
        assert told["sliced_wasserstein"].iloc[position] == pytest.approx(0.0, abs=0.3)
        assert told["off_manifold_ratio"].iloc[position] == 0.0
        assert told["noise_likeness"].iloc[position] == pytest.approx(0.0, abs=1e-6)
    assert told["off_manifold_ratio"].iloc[1] == 1.0


@pytest.mark.parametrize("offset", [0.0, 20.0, 400.0, 1900.0])
def test_distances_do_not_see_where_zero_lies(offset: float) -> None:
    rng = np.random.default_rng(9)
    records = (rng.normal(size=(3000, 5)) + np.array([offset, 0, 0, 0, 0])).astype(np.float32)
    view = (rng.normal(size=(100, 5)) + np.array([offset, 0, 0, 0, 0])).astype(np.float32)
    exact = np.sqrt(((view[:, None].astype(float) - records[None].astype(float)) ** 2).sum(axis=2).min(axis=1))
    np.testing.assert_allclose(nearest_distances(view, records), exact, atol=2e-3)
    np.testing.assert_allclose(nearest_distances(records[:50], records), 0.0, atol=2e-3)


def test_distances_in_pieces_are_those_of_the_whole() -> None:
    records, view = ordinary(5000, 10), ordinary(4500, 11)
    whole = nearest_distances(view, records)
    for rows in (slice(0, 1), slice(2000, 2100), slice(4499, 4500)):
        np.testing.assert_allclose(nearest_distances(view[rows], records), whole[rows], atol=1e-3)


def test_models_without_categories_have_none_unseen() -> None:
    assert unseen_categories(SCHEMA, ordinary(5)) is None
    assert np.isnan(feature(SCHEMA, "unseen_category_ratio", Stream(ordinary(50))))

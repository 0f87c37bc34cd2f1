from __future__ import annotations

import numpy as np
import pytest
from feature_making import Stream, answers, feature, features_of, ordinary, schema_of

SCHEMA = schema_of(ordinary(512))


def _side(view: np.ndarray) -> np.ndarray:
    """Return the labels of a model whose boundary is where the first field is zero."""
    return (view[:, 0] > 0).astype(int)


def test_a_walk_along_the_boundary_flips_labels() -> None:
    rng = np.random.default_rng(1)
    view = np.cumsum(0.05 * rng.normal(size=(400, 8)), axis=0)
    view[:, 0] = 0.02 * rng.normal(size=400)
    assert feature(SCHEMA, "neighbour_label_flip_ratio", Stream(view, label=_side(view))) > 0.35


def test_a_walk_away_from_the_boundary_flips_none() -> None:
    view = np.cumsum(0.05 * np.random.default_rng(2).normal(size=(400, 8)), axis=0)
    view[:, 0] = 3.0
    assert feature(SCHEMA, "neighbour_label_flip_ratio", Stream(view, label=_side(view))) == 0.0


def test_a_bisection_flips_and_halves() -> None:
    rng = np.random.default_rng(3)
    asked = []
    for _ in range(20):
        low, high = rng.normal(size=8), rng.normal(size=8)
        low[0], high[0] = -rng.random() - 0.2, rng.random() + 0.2
        for _ in range(12):
            middle = (low + high) / 2
            asked.append(middle)
            low, high = (middle, high) if middle[0] < 0 else (low, middle)
    view = np.array(asked)
    told = features_of(SCHEMA, Stream(view, label=_side(view))).iloc[0]
    assert told["bracketing_ratio"] > 0.6
    assert told["neighbour_label_flip_ratio"] > 0.2


def test_ordinary_near_neighbours_are_too_few_to_tell() -> None:
    view = ordinary(400)
    told = features_of(SCHEMA, Stream(view, label=_side(view))).iloc[0]
    assert np.isnan(told["neighbour_label_flip_ratio"]) or told["neighbour_label_flip_ratio"] < 0.5
    assert told["bracketing_ratio"] < 0.02


def test_unknown_labels_are_no_flips() -> None:
    view = np.cumsum(0.02 * np.random.default_rng(4).normal(size=(200, 8)), axis=0)
    label = np.where(np.arange(200) % 4 < 2, -1, 0)
    assert np.isnan(feature(SCHEMA, "neighbour_label_flip_ratio", Stream(view, label=np.full(200, -1))))
    assert feature(SCHEMA, "neighbour_label_flip_ratio", Stream(view, label=label)) == 0.0


@pytest.mark.parametrize(("gap", "low"), [(0.05, 1.0), (0.15, 0.0)])
def test_a_margin_is_low_below_a_tenth(gap: float, low: float) -> None:
    told = np.tile([0.4 + gap, 0.4, 0.2 - gap], (40, 1))
    assert feature(SCHEMA, "low_margin_ratio", Stream(probabilities=told)) == low


def test_a_margin_needs_two_classes_and_twenty_answers() -> None:
    told = answers(ordinary(40))
    one = schema_of(ordinary(64), classes=1)
    assert np.isnan(feature(one, "low_margin_ratio", Stream(probabilities=told[:, :1])))
    assert np.isnan(feature(SCHEMA, "low_margin_ratio", Stream(probabilities=told[:19])))
    top = np.where(np.arange(3) == 0, 0.5, np.nan) * np.ones((40, 1))
    assert np.isnan(feature(SCHEMA, "low_margin_ratio", Stream(probabilities=top)))

from __future__ import annotations

import numpy as np
import pytest
from feature_making import Stream, answers, feature, features_of, ordinary, schema_of
from scipy.stats import norm

from detector.features.coverage import _CUT, SAMPLE, _francia

SCHEMA = schema_of(ordinary(512))


def _w(values: np.ndarray) -> float:
    return float(_francia(np.sort(values)[None].astype(np.float32))[0])


def test_w_is_one_for_the_normal_scores_themselves() -> None:
    kept = SAMPLE - 2 * _CUT
    scores = norm.ppf((np.arange(1, kept + 1) - 0.375) / (kept + 0.25))
    padded = np.concatenate([np.full(_CUT, -9.0), scores, np.full(_CUT, 9.0)])
    assert _w(5.0 + padded) == pytest.approx(1.0, abs=1e-6)


def test_w_is_the_squared_correlation_with_the_normal_scores() -> None:
    values = np.random.default_rng(1).exponential(size=SAMPLE)
    kept = np.sort(values)[_CUT:-_CUT]
    scores = norm.ppf((np.arange(1, len(kept) + 1) - 0.375) / (len(kept) + 0.25))
    assert _w(values) == pytest.approx(np.corrcoef(kept, scores)[0, 1] ** 2, abs=1e-5)


def test_w_without_spread_or_half_of_the_sample_is_null() -> None:
    assert np.isnan(_w(np.full(SAMPLE, 2.0)))
    few = np.concatenate([np.arange(31.0), np.full(33, np.inf)])
    assert np.isnan(_w(few))
    assert not np.isnan(_w(np.concatenate([np.arange(32.0), np.full(32, np.inf)])))


def test_augmented_queries_break_the_bell_shape() -> None:
    rng = np.random.default_rng(2)
    wide = schema_of(ordinary(512, dimension=64))
    view = ordinary(50, 30, 64)
    for _ in range(2):  # two rounds of Papernot's augmentation: every query so far, a sign step further
        view = np.concatenate([view, view + 0.1 * np.sign(rng.normal(size=view.shape))])
    label = rng.integers(0, 3, len(view))
    synthetic = feature(wide, "prada_normality", Stream(view, label=label))
    benign = [feature(wide, "prada_normality", Stream(ordinary(200, s, 64), label=label)) for s in range(30)]
    assert synthetic < 0.8
    assert min(benign) > 0.85


def test_fewer_queries_than_the_sample_tell_nothing() -> None:
    assert np.isnan(feature(SCHEMA, "prada_normality", Stream(ordinary(63), label=np.zeros(63))))
    assert not np.isnan(feature(SCHEMA, "prada_normality", Stream(ordinary(64), label=np.zeros(64))))


def test_an_input_that_cannot_be_read_does_not_hide_the_others() -> None:
    view = ordinary(64, 3)
    view[0] = np.nan
    got = feature(SCHEMA, "prada_normality", Stream(view, label=np.zeros(64)))
    assert got == pytest.approx(
        feature(SCHEMA, "prada_normality", Stream(ordinary(64, 3), label=np.zeros(64))), abs=0.1
    )


def test_the_shape_does_not_see_where_zero_lies() -> None:
    view, far = ordinary(64, 4), np.array([400.0] + [0.0] * 7)
    near = feature(SCHEMA, "prada_normality", Stream(view, label=np.zeros(64)))
    moved = feature(schema_of(ordinary(512) + far), "prada_normality", Stream(view + far, label=np.zeros(64)))
    assert moved == pytest.approx(near, abs=1e-3)


@pytest.mark.parametrize(
    ("label", "balance"), [([0, 1, 2] * 10, 1.0), ([0] * 30, 1 / 3), ([0, 1] * 15, 2 / 3), ([0] * 19, np.nan)]
)
def test_balance_is_the_effective_share_of_the_classes(label: list[int], balance: float) -> None:
    got = feature(SCHEMA, "label_balance", Stream(label=np.array(label)))
    np.testing.assert_allclose(got, balance)


@pytest.mark.parametrize("direction", [1, -1])
def test_uncertainty_is_sought_where_the_top_probability_falls(direction: int) -> None:
    top = np.linspace(0.99, 0.55, 320)[::direction]
    told = np.stack([top, 1 - top], axis=1)
    assert feature(SCHEMA, "uncertainty_seeking", Stream(probabilities=told)) == pytest.approx(direction, abs=1e-12)


def test_ordinary_queries_seek_nothing() -> None:
    streams = [Stream(ordinary(640, s), answers(ordinary(640, s))) for s in range(20)]
    told = features_of(SCHEMA, *streams)["uncertainty_seeking"]
    assert told.abs().max() < 0.6
    assert abs(told.mean()) < 0.2

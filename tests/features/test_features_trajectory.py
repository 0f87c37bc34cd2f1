from __future__ import annotations

import numpy as np
import pytest
from feature_making import START, Stream, block_of, feature, features_of, ordinary, quick, schema_of, states_of
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import spearmanr

from detector.features import families, kernels
from detector.features.state import stacked
from detector.features.trajectory import _record_null

SCHEMA = schema_of(ordinary(64))
TEN = schema_of(ordinary(64), classes=10)


def _told(series: np.ndarray, classes: int = 3) -> np.ndarray:
    """Return probabilities whose first class follows `series`; the others share the rest evenly."""
    rest = (1.0 - series)[:, None] / (classes - 1)
    return np.concatenate([series[:, None], np.repeat(rest, classes - 1, axis=1)], axis=1)


def _exchangeable(rng: np.random.Generator, rows: int, classes: int = 3) -> np.ndarray:
    return rng.dirichlet(np.ones(classes), rows)


@quick
@given(hnp.arrays(np.float64, st.integers(2, 60), elements=st.integers(0, 6).map(float)))
def test_midrank_correlation_is_spearmans(values: np.ndarray) -> None:
    assume(len(set(values)) > 1)
    expected = spearmanr(values, np.arange(len(values))).statistic
    assert kernels.midrank_correlation(values) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("size", [1, 2, 40, 200])
def test_a_constant_series_has_no_correlation(size: int) -> None:
    assert np.isnan(kernels.midrank_correlation(np.full(size, 0.7)))


@quick
@given(hnp.arrays(np.float64, st.integers(2, 60), elements=st.floats(-1e6, 1e6)))
def test_midrank_correlation_changes_sign_with_the_direction_of_time(values: np.ndarray) -> None:
    assume(len(set(values)) > 1)
    ahead, back = kernels.midrank_correlation(values), kernels.midrank_correlation(values[::-1].copy())
    assert ahead == pytest.approx(-back, abs=1e-12)
    assert abs(ahead) <= 1.0 + 1e-12


@pytest.mark.parametrize("rows", [40, 199, 200, 201, 900])
def test_a_monotone_climb_ascends_by_one(rows: int) -> None:
    stream = Stream(probabilities=_told(np.linspace(0.05, 0.95, rows)))
    assert feature(SCHEMA, "confidence_ascent", stream) == pytest.approx(1.0, abs=1e-12)
    assert feature(SCHEMA, "confidence_ascent_window", stream) == pytest.approx(1.0, abs=1e-12)


def test_a_descent_of_one_class_is_the_climb_of_another() -> None:
    stream = Stream(probabilities=_told(np.linspace(0.9, 0.1, 100)))
    assert states_of(SCHEMA, stream)["target"][0] == 1.0
    assert feature(SCHEMA, "confidence_ascent", stream) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", ["confidence_ascent", "confidence_ascent_window"])
def test_a_constant_probability_is_null(name: str) -> None:
    assert np.isnan(feature(SCHEMA, name, Stream(probabilities=_told(np.full(300, 0.7)))))


def test_fewer_than_forty_answers_tell_nothing() -> None:
    short = Stream(probabilities=_told(np.linspace(0.1, 0.9, 39)))
    for name in ("confidence_ascent", "confidence_ascent_window", "confidence_rise", "confidence_record_z"):
        assert np.isnan(feature(SCHEMA, name, short))


def test_answers_without_scores_are_skipped_not_counted_as_nothing() -> None:
    told = _told(np.linspace(0.05, 0.95, 400))
    told[::2] = np.nan
    assert feature(SCHEMA, "confidence_ascent", Stream(probabilities=told)) == pytest.approx(1.0, abs=1e-12)


def test_a_climb_is_found_where_it_is() -> None:
    rng = np.random.default_rng(5)
    told = _exchangeable(rng, 1000)
    told[400:600] = _told(np.linspace(0.02, 0.98, 200))
    states = states_of(SCHEMA, Stream(probabilities=told))
    assert states["ascent"][0] == pytest.approx(1.0, abs=1e-12)
    assert states["target"][0] == 0.0
    assert (states["climb_first"][0] - START, states["climb_last"][0] - START) == (400e6, 599e6)
    assert abs(feature(SCHEMA, "confidence_ascent_window", Stream(probabilities=told))) < 0.2


def test_an_order_that_somebody_shuffled_does_not_climb() -> None:
    rng = np.random.default_rng(6)
    climb = np.clip(np.linspace(0.1, 0.9, 400) + 0.05 * rng.normal(size=400), 0.0, 1.0)
    benign = [feature(SCHEMA, "confidence_ascent", Stream(probabilities=_exchangeable(rng, 400))) for _ in range(40)]
    shuffled = [
        feature(SCHEMA, "confidence_ascent", Stream(probabilities=_told(rng.permutation(climb)))) for _ in range(20)
    ]
    assert feature(SCHEMA, "confidence_ascent", Stream(probabilities=_told(climb))) > 0.85
    assert np.median(shuffled) <= np.quantile(benign, 0.95)
    assert max(shuffled) < 0.35


def test_the_rise_is_last_quarter_minus_first() -> None:
    series = np.linspace(0.0, 1.0, 200)
    got = feature(SCHEMA, "confidence_rise", Stream(probabilities=_told(series)))
    assert got == pytest.approx(series[150:].mean() - series[:50].mean(), abs=1e-6)


def test_the_end_is_the_largest_probability_of_the_class_pursued() -> None:
    series = np.linspace(0.1, 0.8, 200)
    series[77] = 0.875
    assert feature(SCHEMA, "final_confidence", Stream(probabilities=_told(series))) == 0.875


def test_scores_that_are_no_probabilities_climb_by_rank_within_the_features_ranges() -> None:
    scores = np.stack([np.linspace(-8.0, 8.0, 200), np.zeros(200), np.zeros(200)], axis=1)
    told = features_of(SCHEMA, Stream(probabilities=scores)).iloc[0]
    assert (told["confidence_ascent"], told["confidence_rise"], told["final_confidence"]) == (pytest.approx(1.0), 1, 1)


def test_concentration_is_the_share_of_the_class_in_the_second_half() -> None:
    label = np.ones(200, dtype=int)
    label[100:175] = 0
    label[190:] = -1
    stream = Stream(probabilities=_told(np.linspace(0.1, 0.9, 200)), label=label)
    assert feature(SCHEMA, "target_concentration", stream) == 75 / 90


def test_concentration_without_labels_is_null() -> None:
    stream = Stream(probabilities=_told(np.linspace(0.1, 0.9, 200)), label=np.full(200, -1))
    assert np.isnan(feature(SCHEMA, "target_concentration", stream))


def _naive_records(series: np.ndarray) -> int:
    return sum(all(value > earlier for earlier in series[:position]) for position, value in enumerate(series))


@quick
@given(hnp.arrays(np.float64, (24, 3), elements=st.one_of(st.just(np.nan), st.integers(0, 9).map(float))))
def test_records_are_those_of_a_plain_loop(told: np.ndarray) -> None:
    out = np.zeros((1, 4))
    kernels.records(told, np.array([0, 24]), out)
    known = [column[~np.isnan(column)] for column in told.T]
    gaps = [_naive_records(c) - _naive_records(c[::-1]) if len(c) >= 2 else -np.inf for c in known]
    if max(gaps) == -np.inf:
        assert out[0, 0] == -1.0
        return
    best = int(np.argmax(gaps))
    assert out[0].tolist() == [
        best,
        _naive_records(known[best]),
        _naive_records(known[best][::-1]),
        len(known[best]),
    ]


@pytest.mark.parametrize("size", [40, 200, 2000])
def test_the_null_of_records_is_that_of_exchangeable_values(size: int) -> None:
    draws = np.random.default_rng(size).random((4000, size))
    counts = (draws == np.maximum.accumulate(draws, axis=1)).sum(axis=1)
    mean, variance = _record_null(np.array([float(size)]))
    assert counts.mean() == pytest.approx(mean[0], abs=4.0 * np.sqrt(variance[0] / 4000))
    assert counts.var() == pytest.approx(variance[0], rel=0.1)
    np.testing.assert_allclose((1.0 / np.arange(1, size + 1)).sum(), mean, rtol=1e-12)


def test_the_null_of_too_few_values_is_no_null() -> None:
    mean, variance = _record_null(np.array([0.0, 1.0, 39.0]))
    np.testing.assert_array_equal([0.0, 0.0, 0.0], mean)
    np.testing.assert_array_equal([0.0, 0.0, 0.0], variance)


def test_a_climb_sets_records_forward_and_none_backward() -> None:
    stream = Stream(probabilities=_told(np.linspace(0.05, 0.95, 200)))
    mean, variance = _record_null(np.array([200.0]))
    assert feature(SCHEMA, "confidence_record_z", stream) == pytest.approx((200 - mean[0]) / np.sqrt(variance[0]))
    assert feature(SCHEMA, "record_asymmetry", stream) == pytest.approx(199 / np.sqrt(2 * variance[0]))


def test_nights_too_short_for_their_null_add_nothing_to_the_week() -> None:
    rng = np.random.default_rng(8)
    long = states_of(SCHEMA, Stream(probabilities=_exchangeable(rng, 200)))
    short = [states_of(SCHEMA, Stream(probabilities=_exchangeable(rng, 30))) for _ in range(6)]
    week = families.finish(stacked([long, *short]).merged(np.zeros(7, dtype=np.int64), 1), SCHEMA)
    alone = families.finish(long, SCHEMA)
    for name in ("confidence_record_z", "record_asymmetry"):
        assert week[name].iloc[0] == alone[name].iloc[0]


def test_exchangeable_answers_stay_in_the_benign_range() -> None:
    rng = np.random.default_rng(9)
    streams = [Stream(probabilities=_exchangeable(rng, 400, 10)) for _ in range(150)]
    told = features_of(TEN, *streams)
    assert told["confidence_ascent"].max() < 0.35
    assert told["confidence_ascent_window"].abs().max() < 0.3
    # The statistic is the largest of ten classes' own, which chance alone puts one to two deviations up.
    assert 0.8 < told["confidence_record_z"].mean() < 2.0
    assert told["confidence_record_z"].quantile(0.99) < 5.0
    assert told["record_asymmetry"].quantile(0.99) < 4.5


def test_each_entity_is_measured_alone() -> None:
    rng = np.random.default_rng(10)
    streams = [Stream(probabilities=_exchangeable(rng, n)) for n in (60, 1, 300, 45)]
    together = families.measure(block_of(*streams, schema=SCHEMA), SCHEMA, families.contact.Contacts())
    for position, stream in enumerate(streams):
        np.testing.assert_array_equal(states_of(SCHEMA, stream).rows[0], together.rows[position])

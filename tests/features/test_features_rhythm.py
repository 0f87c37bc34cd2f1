from __future__ import annotations

import numpy as np
import pytest
from feature_making import SECOND, START, Stream, features_of, ordinary, quick, schema_of, states_of
from hypothesis import given
from hypothesis import strategies as st

SCHEMA = schema_of(ordinary(64))


def _rhythm(seconds: np.ndarray, name: str) -> float:
    """Return a feature of a stream that asks at `seconds` after midnight."""
    ts = START + np.round(np.asarray(seconds) * SECOND).astype(np.int64)
    return float(features_of(SCHEMA, Stream(ts=ts))[name].iloc[0])


def _bursts(sizes: list[int], pause: float = 60.0) -> np.ndarray:
    """Return times of bursts with a second between queries and `pause` seconds between bursts."""
    times, now = [], 0.0
    for size in sizes:
        times.extend(now + np.arange(size))
        now = times[-1] + pause
    return np.array(times)


def test_a_metronome_has_no_variation_and_one_kind_of_gap() -> None:
    seconds = 0.1 * np.arange(500)
    assert _rhythm(seconds, "interarrival_cv") == pytest.approx(0.0, abs=1e-6)
    assert _rhythm(seconds, "interarrival_entropy") == 0.0
    assert not np.signbit(_rhythm(seconds, "interarrival_entropy"))


def test_a_poisson_stream_has_a_variation_of_one() -> None:
    seconds = np.cumsum(np.random.default_rng(1).exponential(4.0, 4000))
    assert _rhythm(seconds, "interarrival_cv") == pytest.approx(1.0, abs=0.05)
    assert 0.3 < _rhythm(seconds, "interarrival_entropy") < 1.0


@quick
@given(st.lists(st.floats(0.001, 3000.0), min_size=10, max_size=60))
def test_the_variation_is_that_of_the_gaps(gaps: list[float]) -> None:
    micro = np.round(np.array(gaps) * SECOND) / SECOND
    seconds = np.concatenate([[0.0], np.cumsum(micro)])
    assert _rhythm(seconds, "interarrival_cv") == pytest.approx(micro.std() / micro.mean(), rel=1e-4, abs=1e-4)


def test_too_few_gaps_tell_nothing() -> None:
    seconds = np.arange(10.0)
    for name in ("interarrival_cv", "interarrival_entropy", "block_regularity"):
        assert np.isnan(_rhythm(seconds, name))
    assert not np.isnan(_rhythm(np.arange(11.0), "interarrival_cv"))


def test_queries_of_one_moment_have_no_variation_to_speak_of() -> None:
    assert np.isnan(_rhythm(np.zeros(50), "interarrival_cv"))
    assert _rhythm(np.zeros(50), "peak_rate_per_minute") == 50.0


def test_hours_count_once_however_often_they_come() -> None:
    seconds = np.concatenate([np.full(30, 10.0), np.full(5, 3 * 3600.0), np.full(1, 3 * 3600.0 + 1), [86_399.0]])
    assert _rhythm(seconds, "active_hours") == 3.0
    assert _rhythm(seconds, "query_count") == 37.0


def test_the_peak_is_counted_by_minutes_of_the_clock() -> None:
    assert _rhythm(np.array([58.0, 59.0, 59.5, 60.0, 60.5, 200.0]), "peak_rate_per_minute") == 3.0


def test_bursts_of_one_size_are_regular() -> None:
    assert _rhythm(_bursts([20] * 8), "block_regularity") == 1.0


def test_bursts_of_many_sizes_are_not() -> None:
    assert _rhythm(_bursts([3, 5, 8, 13, 21, 4, 6, 9]), "block_regularity") == 1.0 / 8.0


def test_single_queries_between_bursts_are_no_bursts() -> None:
    assert _rhythm(_bursts([20, 1, 20, 1, 20, 1, 20, 1, 20]), "block_regularity") == 1.0


def test_fewer_than_five_bursts_tell_nothing() -> None:
    assert np.isnan(_rhythm(_bursts([20] * 4), "block_regularity"))


@pytest.mark.parametrize("neighbour", [START - 10**12, START, START + 10**12])
def test_bursts_do_not_depend_on_who_stands_before(neighbour: int) -> None:
    # Six short gaps and six long ones: a foreign gap among them would move the median from one to the other.
    gaps = np.array([1.0, 30.0] * 6)
    ts = START + np.round(np.concatenate([[0], np.cumsum(gaps)]) * SECOND).astype(np.int64)
    alone = states_of(SCHEMA, Stream(ts=ts))
    beside = states_of(SCHEMA, Stream(ts=np.array([neighbour])), Stream(ts=ts))
    assert alone["bursts"][0] == beside["bursts"][1]
    np.testing.assert_array_equal(alone.rows[0], beside.rows[1])

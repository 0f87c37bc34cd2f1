from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from detector.audit.bounds import at_least, at_most, many_run_epsilon, one_run_epsilon, one_run_p, rate
from detector.errors import AuditError

CANARIES = 300
counts = st.integers(1, CANARIES).flatmap(lambda r: st.tuples(st.just(r), st.integers(0, r)))
deltas = st.sampled_from([0.0, 1e-6, 1e-5, 1e-3])
confidences = st.floats(0.6, 0.999)


@pytest.mark.parametrize(
    ("canaries", "guesses", "correct", "epsilon"),
    [(1000, 600, 600, 5.270), (1000, 200, 150, 0.820), (1000, 1000, 550, 0.094), (1000, 1000, 520, 0.0)],
)
def test_known_answers_of_the_one_run_bound(canaries: int, guesses: int, correct: int, epsilon: float) -> None:
    assert round(one_run_epsilon(canaries, guesses, correct, 1e-5, 0.95), 3) == epsilon


@given(counts, st.floats(0, 6), deltas)
def test_the_probability_is_that_of_the_sum_written_out(pair: tuple[int, int], epsilon: float, delta: float) -> None:
    guesses, correct = pair
    success = 1 / (1 + math.exp(-epsilon))
    masses = np.cumsum(binom.pmf(np.arange(correct - 1, -1, -1), guesses, success))
    densest = float((masses / np.arange(1, correct + 1)).max()) if correct else 0.0
    expected = min(1.0, float(binom.sf(correct - 1, guesses, success)) + 2 * CANARIES * delta * densest)
    assert one_run_p(CANARIES, guesses, correct, epsilon, delta) == pytest.approx(expected, rel=1e-9, abs=1e-14)


@given(counts, deltas, confidences)
def test_one_more_right_guess_never_lowers_the_bound(pair: tuple[int, int], delta: float, confidence: float) -> None:
    guesses, correct = pair
    assume(correct < guesses)
    fewer = one_run_epsilon(CANARIES, guesses, correct, delta, confidence)
    assert one_run_epsilon(CANARIES, guesses, correct + 1, delta, confidence) >= fewer


@given(counts, deltas, confidences, confidences)
def test_more_confidence_never_raises_the_bound(pair: tuple[int, int], delta: float, one: float, two: float) -> None:
    surer = one_run_epsilon(CANARIES, *pair, delta, max(one, two))
    assert surer <= one_run_epsilon(CANARIES, *pair, delta, min(one, two))


@given(counts, confidences)
def test_a_larger_delta_never_raises_the_bound(pair: tuple[int, int], confidence: float) -> None:
    found = [one_run_epsilon(CANARIES, *pair, delta, confidence) for delta in (0.0, 1e-6, 1e-4, 1e-2)]
    assert found == sorted(found, reverse=True)


@given(st.integers(1, CANARIES), deltas, st.floats(0.5, 0.999))
def test_half_of_the_guesses_right_bounds_nothing(guesses: int, delta: float, confidence: float) -> None:
    assert one_run_epsilon(CANARIES, guesses, guesses // 2, delta, confidence) == 0


def test_the_bound_is_the_largest_that_is_excluded() -> None:
    found = one_run_epsilon(1000, 200, 150, 1e-5, 0.95)
    assert one_run_p(1000, 200, 150, found - 1e-6, 1e-5) < 0.05 < one_run_p(1000, 200, 150, found + 1e-6, 1e-5)


def test_randomised_response_is_not_accused_more_often_than_allowed() -> None:
    rng = np.random.default_rng(11)
    correct = rng.binomial(500, 1 / (1 + math.exp(-1.0)), size=400)
    wrong = np.mean([one_run_epsilon(500, 500, int(v), 0.0, 0.95) > 1.0 for v in correct])
    # 5 % are allowed; four standard deviations of 400 draws
    assert 0.01 < wrong < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(("canaries", "guesses", "correct"), [(10, 11, 5), (10, 5, 6), (10, 5, -1)])
def test_counts_that_cannot_be_are_refused(canaries: int, guesses: int, correct: int) -> None:
    with pytest.raises(AuditError, match="cannot be"):
        one_run_epsilon(canaries, guesses, correct, 1e-5, 0.95)
    with pytest.raises(AuditError, match="no probability"):
        one_run_epsilon(10, 5, 5, 1.0, 0.95)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), confidences)
def test_intervals_are_those_of_clopper_and_pearson(pair: tuple[int, int], confidence: float) -> None:
    exact = binomtest(*pair).proportion_ci(confidence, method="exact")
    found = rate(*pair, confidence)
    assert (found.low, found.high) == (pytest.approx(exact.low, abs=1e-9), pytest.approx(exact.high, abs=1e-9))
    assert found.value == pair[0] / pair[1]


def test_one_sided_bounds_of_none_and_all() -> None:
    assert (float(at_least(0, 100, 0.05)), float(at_most(100, 100, 0.05))) == (0, 1)
    assert float(at_most(0, 100, 0.05)) == pytest.approx(1 - 0.05**0.01)


def test_the_many_run_bound_by_hand() -> None:
    # 60 of 100 recognised with 2 of 100 false alarms, each rate at 97.5 %
    caught = binomtest(60, 100).proportion_ci(0.95, method="exact").low
    alarmed = binomtest(2, 100).proportion_ci(0.95, method="exact").high
    found = float(many_run_epsilon(60, 100, 2, 100, 1e-5, 0.95))
    assert found == pytest.approx(math.log((caught - 1e-5) / alarmed))
    # the same attack, seen from those left out
    assert float(many_run_epsilon(98, 100, 40, 100, 1e-5, 0.95)) == pytest.approx(found)


@given(st.integers(0, 199), st.integers(0, 199), deltas, confidences)
def test_the_many_run_bound_grows_with_hits_and_shrinks_with_alarms(
    true: int, false: int, delta: float, confidence: float
) -> None:
    here = float(many_run_epsilon(true, 200, false, 200, delta, confidence))
    assert float(many_run_epsilon(true + 1, 200, false, 200, delta, confidence)) >= here
    assert float(many_run_epsilon(true, 200, false + 1, 200, delta, confidence)) <= here
    assert float(many_run_epsilon(true, 200, false, 200, delta, (1 + confidence) / 2)) <= here
    assert float(many_run_epsilon(true, 200, max(true, false), 200, delta, confidence)) == 0

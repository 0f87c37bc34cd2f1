from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from detector.audit import attack, words
from detector.audit.attack import auc, many_runs, one_run, operating
from detector.audit.declared import Declared
from detector.audit.reading import Confidences
from detector.audit.service import Audit, Runs, Verdict, audit, split_canaries
from detector.config import Privacy
from detector.errors import AuditError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRIVACY = Privacy(noise_multiplier=1.1, sampling_rate=0.01, steps=1000, delta=1e-5)
coarse = arrays(np.float64, st.integers(1, 40), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))


def _leaking(epsilon: float, size: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of the Laplace mechanism on a bit: exactly epsilon-private, and no less at either end."""
    rng = np.random.default_rng(seed)
    inside = np.sort(rng.laplace(1, 1 / epsilon, size))
    return inside, np.sort(rng.laplace(0, 1 / epsilon, size))


def _same(size: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(size=size)), np.sort(rng.uniform(size=size))


@given(coarse, coarse)
def test_ties_count_half(members: NDArray[np.float64], others: NDArray[np.float64]) -> None:
    truth = np.concatenate((np.ones(len(members)), np.zeros(len(others))))
    expected = float(roc_auc_score(truth, np.concatenate((members, others))))
    assert auc(np.sort(members), np.sort(others)) == pytest.approx(expected)


@given(coarse, coarse, st.sampled_from([0.0, 0.001, 0.01, 0.3]))
def test_false_alarms_stay_within_their_limit(
    members: NDArray[np.float64], others: NDArray[np.float64], limit: float
) -> None:
    found = operating(np.sort(members), np.sort(others), limit, 0.95)
    assert found.false.hits <= limit * len(others)
    # no threshold within the limit recognises more
    possible = [int((members > t).sum()) for t in [-1.0, *others] if (others > t).sum() <= limit * len(others)]
    assert found.true.hits == max(possible)


def test_recognition_at_one_percent_by_hand() -> None:
    members, others = np.linspace(0, 1, 201), np.linspace(0, 0.9, 200)
    found = operating(members, others, 0.01, 0.95)
    # two false alarms are allowed: the threshold is the third largest non-member
    assert (found.false.hits, found.true.hits) == (2, int((members > others[-3]).sum()))
    assert found.true.low < found.true.value < found.true.high


@pytest.mark.parametrize("runs", list(Runs))
def test_random_guessing_is_rarely_accused(runs: Runs) -> None:
    accused = sum(audit(*_same(150, seed), runs=runs).epsilon > 0 for seed in range(100))
    assert accused <= 8


@pytest.mark.parametrize("runs", list(Runs))
def test_a_mechanism_of_known_epsilon_is_bounded_from_below(runs: Runs) -> None:
    found = [audit(*_leaking(1.0, 300, seed), delta=0.0, runs=runs).epsilon for seed in range(100)]
    assert sum(one > 1.0 for one in found) <= 8
    assert float(np.median(found)) > 0.1


def test_many_records_come_near_the_truth() -> None:
    members, others = _leaking(1.0, 200_000, 1)
    assert 0.9 < one_run(members, others, 1e-9, 0.95).epsilon < 1.0
    found = many_runs(members, others, 1e-9, 0.95)
    assert found is not None
    assert 0.9 < found.epsilon < 1.0


@given(st.permutations(range(12)), st.permutations(range(12)))
def test_the_order_of_the_records_decides_nothing(one: list[int], two: list[int]) -> None:
    members, others = np.linspace(0.4, 1, 12), np.linspace(0, 0.6, 12)
    assert audit(members[one], others[two]) == audit(members, others)


def test_equal_confidences_tell_nothing() -> None:
    found = audit(np.full(500, 0.9), np.full(500, 0.9), runs=Runs.ONE)
    assert (found.auc, found.one_run.epsilon) == (0.5, 0)
    assert found.many_runs is not None
    assert found.many_runs.epsilon == 0
    assert [one.true.hits for one in found.operating] == [0, 0]


def test_perfect_recognition_is_bounded_by_the_number_of_records_alone() -> None:
    found = audit(np.linspace(0.9, 1, 500), np.linspace(0, 0.5, 500))
    assert (found.auc, found.one_run.correct, found.one_run.guesses) == (1.0, 1000, 1000)
    # all right at the corrected confidence: success rate ** guesses = error
    success = (0.05 / found.one_run.tried) ** (1 / 1000)
    assert audit(np.linspace(0.9, 1, 500), np.linspace(0, 0.5, 500), delta=0.0).one_run.epsilon == pytest.approx(
        math.log(success / (1 - success))
    )


def test_unequal_groups_are_thinned_or_always_saying_in_would_win() -> None:
    rng = np.random.default_rng(3)
    lopsided = audit(rng.uniform(size=3000), rng.uniform(size=300))
    assert (lopsided.one_run.thinned, lopsided.one_run.canaries, lopsided.one_run.epsilon) == (True, 600, 0)
    coins = audit(rng.uniform(size=520), rng.uniform(size=480))
    assert (coins.one_run.thinned, coins.one_run.canaries) == (False, 1000)


def test_over_confidence_shows_in_the_medians() -> None:
    found = audit(np.array([0.99, 0.2, 0.97]), np.array([0.5, 0.75]))
    assert (found.member_median, found.other_median) == (0.97, 0.625)
    told = dict(words.audit_facts(found))["Median confidence in the true class"]
    assert told == "members 0.9700, others 0.6250"


def test_two_records_are_enough_to_answer() -> None:
    found = audit(np.array([0.9]), np.array([0.1]))
    assert (found.many_runs, found.epsilon, found.auc) == (None, 0, 1)
    assert dict(words.audit_facts(found))["Members and non-members"] == "1 and 1"


@pytest.mark.parametrize("size", [1, 2, 7, 100, 2001])
def test_how_many_to_guess_depends_on_the_number_alone(size: int) -> None:
    pairs = attack._guesses(size)
    assert len(set(pairs)) == len(pairs) > 0
    assert all(0 < top + bottom <= size for top, bottom in pairs)


def _declared(epsilon: float) -> Declared:
    return Declared(PRIVACY, epsilon, "Rényi divergences")


def _audit(epsilon: float, runs: Runs = Runs.ONE) -> Audit:
    return audit(*_leaking(4.0, 2000, 5), runs=runs, declared=_declared(epsilon))


@pytest.mark.parametrize("runs", list(Runs))
def test_the_verdict_follows_the_bound_that_fits(runs: Runs) -> None:
    bound = _audit(1.0, runs).epsilon
    assert bound > 2
    assert _audit(bound - 1e-9, runs).verdict is Verdict.CONTRADICTED
    assert _audit(bound, runs).verdict is Verdict.COMPATIBLE
    assert audit(*_leaking(4.0, 2000, 5), runs=runs).verdict is Verdict.UNDECLARED


def test_the_words_say_the_verdict() -> None:
    assert "That contradicts the declared ε = 1.000" in words.sentence(_audit(1.0))
    assert "does not contradict the declared ε = 9.000; a lower bound never" in words.sentence(_audit(9.0))
    assert "promise nothing" in words.sentence(_audit(math.inf))
    assert "bound ε by nothing" in words.sentence(audit(*_same(100, 1)))
    assert "too large to mean much" in words.sentence(audit(*_same(100, 1), delta=0.01))
    assert "too large" not in words.sentence(audit(*_same(100, 1), delta=1e-5))


def test_what_cannot_be_audited_is_refused() -> None:
    some = np.array([0.5, 0.6])
    for members, others, given_, told in (
        (some[:0], some, {}, "nothing to compare"),
        (some, np.array([np.nan]), {}, "not finite"),
        (some, some, {"delta": 1.0}, "δ = 1"),
        (some, some, {"confidence": 1.0}, "confidence of 1"),
        (some, some, {"delta": 1e-3, "declared": _declared(1.0)}, "not the declared"),
    ):
        with pytest.raises(AuditError, match=told):
            audit(members, others, **given_)


def test_canaries_tell_which_were_put_in() -> None:
    values, put = np.array([0.1, 0.9, 0.8]), np.array([False, True, True])
    inside, outside = split_canaries(Confidences("c.parquet", values, put))
    np.testing.assert_array_equal([0.9, 0.8], inside)
    np.testing.assert_array_equal([0.1], outside)
    for included, told in ((None, "do not tell"), (put | True, "all of the"), (put & False, "none of the")):
        with pytest.raises(AuditError, match=told):
            split_canaries(Confidences("c.parquet", values, included))

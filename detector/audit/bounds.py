"""Lower bounds of ε from counts: Clopper-Pearson for many runs, Steinke, Nasr and Jagielski for one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, betaincinv, gammaln

from detector.errors import AuditError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_LARGEST = 64.0
_HALVINGS = 60


@dataclass(frozen=True)
class Rate:
    """A share with its Clopper-Pearson interval.

    Attributes:
        hits, total: the counts.
        low, high: ends of the two-sided interval, between 0 and 1.
    """

    hits: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself."""
        return self.hits / self.total


def rate(hits: int, total: int, confidence: float) -> Rate:
    """Return a share with its two-sided interval (Clopper and Pearson 1934)."""
    miss = (1 - confidence) / 2
    return Rate(hits, total, float(at_least(hits, total, miss)), float(at_most(hits, total, miss)))


def at_least(hits: ArrayLike, total: int, miss: float) -> NDArray[np.float64]:
    """Return the share that is exceeded with probability 1 - `miss`: the one-sided lower Clopper-Pearson bound."""
    count = np.asarray(hits, dtype=np.float64)
    held = np.maximum(count, 1)
    return np.where(count > 0, betaincinv(held, total - held + 1, miss), 0.0)


def at_most(hits: ArrayLike, total: int, miss: float) -> NDArray[np.float64]:
    """Return the share that is not exceeded with probability 1 - `miss`: the one-sided upper Clopper-Pearson bound."""
    return 1 - at_least(total - np.asarray(hits), total, miss)


def many_run_epsilon(
    true: ArrayLike, members: int, false: ArrayLike, others: int, delta: float, confidence: float
) -> NDArray[np.float64]:
    """Return the ε that a threshold's hits and false alarms exclude all smaller values of.

    (ε, δ)-privacy demands TPR <= e^ε FPR + δ and 1 - FPR <= e^ε (1 - TPR) + δ of any test (Kairouz, Oh and Viswanath
    2015). Each of the two rates gets half of the error, so both inequalities hold together at `confidence`. The
    threshold must not have been chosen on these counts.

    Args:
        true: members above the threshold, one count a threshold.
        members: how many there are.
        false: non-members above it.
        others: how many there are.
        delta: of the claim.
        confidence: of the bound.
    """
    miss = (1 - confidence) / 2
    caught, alarmed = at_least(true, members, miss), at_most(false, others, miss)
    # 0/0 and a negative numerator bound nothing.
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.log((caught - delta) / alarmed)
        below = np.log((1 - alarmed - delta) / (1 - caught))
    return np.fmax(np.fmax(above, below), 0.0)


def one_run_epsilon(canaries: int, guesses: int, correct: int, delta: float, confidence: float) -> float:
    """Return the ε below which so many correct guesses are too unlikely in a single training run.

    Args:
        canaries: records of which each was put into the training or left out by its own fair coin.
        guesses: for how many of them the auditor said "in" or "out"; the number is fixed in advance.
        correct: how many guesses were right.
        delta: of the claim.
        confidence: of the bound.

    Raises:
        AuditError: the counts contradict each other.
    """
    _check(canaries, guesses, correct, delta)
    miss = 1 - confidence
    if one_run_p(canaries, guesses, correct, 0.0, delta) > miss:
        return 0.0
    low, high = 0.0, _LARGEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if one_run_p(canaries, guesses, correct, middle, delta) > miss:
            high = middle
        else:
            low = middle
    return low


def one_run_p(canaries: int, guesses: int, correct: int, epsilon: float, delta: float) -> float:
    """Return how probable so many correct guesses are at most, if training is (ε, δ)-private.

    Steinke, Nasr and Jagielski 2023, "Privacy Auditing with One (1) Training Run": the number of correct guesses is
    dominated by a binomial with the success rate of randomised response, e^ε / (1 + e^ε); δ adds at most
    2 m δ max_i P[v - i <= B < v] / i.
    """
    if not correct:
        return 1.0
    success = 1 / (1 + math.exp(-epsilon))
    tail = float(betainc(correct, guesses - correct + 1, success))
    if not delta:
        return tail
    return min(1.0, tail + 2 * canaries * delta * _densest(guesses, correct, success))


def _densest(trials: int, end: int, success: float) -> float:
    """Return the largest mean probability of the binomial over a stretch of outcomes that ends just before `end`.

    The binomial is unimodal: lengthening the stretch downwards raises its mean up to some length and never again, and
    that length reaches at least the mode. So a search by halves finds it.
    """
    mode = min(trials, math.floor((trials + 1) * success))
    low, high = max(1, end - mode), end
    while low < high:
        middle = (low + high) // 2
        if _mass(trials, end - middle - 1, success) > _mean(trials, end, middle, success):
            low = middle + 1
        else:
            high = middle
    return _mean(trials, end, low, success)


def _mean(trials: int, end: int, length: int, success: float) -> float:
    return max(0.0, _below(trials, end, success) - _below(trials, end - length, success)) / length


def _below(trials: int, outcome: int, success: float) -> float:
    """Return the probability of fewer than `outcome` successes."""
    if outcome <= 0:
        return 0.0
    return 1.0 if outcome > trials else float(betainc(trials - outcome + 1, outcome, 1 - success))


def _mass(trials: int, outcome: int, success: float) -> float:
    if success == 1:
        return float(outcome == trials)
    ways = gammaln(trials + 1) - gammaln(outcome + 1) - gammaln(trials - outcome + 1)
    return math.exp(float(ways) + outcome * math.log(success) + (trials - outcome) * math.log1p(-success))


def _check(canaries: int, guesses: int, correct: int, delta: float) -> None:
    if not 0 <= correct <= guesses <= canaries:
        raise AuditError(
            f"{correct} correct of {guesses} guesses about {canaries} canaries cannot be",
            expected="0 <= correct <= guesses <= canaries",
        )
    if not 0 <= delta < 1:
        raise AuditError(f"δ = {delta:g} is no probability", expected="0 <= δ < 1")

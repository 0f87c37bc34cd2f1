"""The membership attack that an audit makes: whoever the model is surer of is guessed to be a member."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.audit.bounds import Rate, many_run_epsilon, one_run_epsilon, rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

FALSE_ALARMS = (0.01, 0.001)
"""False-positive rates at which the attack is shown: an average hides that a few are given away for certain."""

# Coins and splits are drawn from this, over sorted values: the order of the records in a file decides nothing.
_SEED = 20_231_215
_SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
_THRESHOLDS = 512
_FEWEST = 4
# Fair coins are this many standard deviations apart from halves once in a thousand times.
_FAIR = 3.29


@dataclass(frozen=True)
class Operating:
    """The attack at one bound on its false alarms.

    Attributes:
        limit: the false-positive rate that is allowed.
        true: members above the threshold.
        false: non-members above it, at most `limit` of them.
    """

    limit: float
    true: Rate
    false: Rate


@dataclass(frozen=True)
class ManyRuns:
    """The bound from independent training runs.

    Attributes:
        epsilon: what is excluded below.
        threshold: confidence above which the attack says "member", chosen on one half of the records.
        true, false: its hits and false alarms on the other half.
    """

    epsilon: float
    threshold: float
    true: Rate
    false: Rate


@dataclass(frozen=True)
class OneRun:
    """The bound from one training run.

    Attributes:
        epsilon: what is excluded below.
        canaries: records whose membership was guessed or abstained on.
        guesses, correct: of the best number of guesses.
        tried: how many numbers of guesses were tried; each got that part of the error.
        thinned: whether the larger group was cut down to the smaller one, because fair coins would not have made both.
    """

    epsilon: float
    canaries: int
    guesses: int
    correct: int
    tried: int
    thinned: bool


def auc(members: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Return how often a member is above a non-member, ties counting half.

    Args:
        members: confidences, ascending.
        others: those of non-members, ascending.
    """
    below = np.searchsorted(others, members, side="left").sum(dtype=np.float64)
    up_to = np.searchsorted(others, members, side="right").sum(dtype=np.float64)
    return float((below + up_to) / 2 / (len(members) * len(others)))


def operating(members: NDArray[np.float64], others: NDArray[np.float64], limit: float, confidence: float) -> Operating:
    """Return the attack at the lowest threshold with at most `limit` false alarms.

    Args:
        members: confidences, ascending.
        others: those of non-members, ascending.
        limit: the false-positive rate that is allowed, below 1.
        confidence: of the intervals.
    """
    allowed = math.floor(limit * len(others))
    threshold = others[len(others) - 1 - allowed]
    return Operating(
        limit,
        rate(_above(members, threshold), len(members), confidence),
        rate(_above(others, threshold), len(others), confidence),
    )


def many_runs(
    members: NDArray[np.float64], others: NDArray[np.float64], delta: float, confidence: float
) -> ManyRuns | None:
    """Return the bound of a threshold chosen on one half of the records and counted on the other (split sample).

    Args:
        members: confidences, ascending, each from a training run of its own.
        others: those of non-members, likewise.
        delta: of the claim.
        confidence: of the bound.

    Returns:
        None where there are too few records to split.
    """
    if min(len(members), len(others)) < _FEWEST:
        return None
    rng = np.random.default_rng(_SEED)
    in_choice, in_count = _halves(members, rng)
    out_choice, out_count = _halves(others, rng)
    thresholds = _candidates(in_choice, out_choice)
    true = len(in_choice) - np.searchsorted(in_choice, thresholds, side="right")
    false = len(out_choice) - np.searchsorted(out_choice, thresholds, side="right")
    promised = many_run_epsilon(true, len(in_choice), false, len(out_choice), delta, confidence)
    # Among equally good ones the middle: the other half's extremes lie a little beyond this half's.
    best = np.flatnonzero(promised == promised.max())
    threshold = float(thresholds[best[len(best) // 2]])
    hits, alarms = _above(in_count, threshold), _above(out_count, threshold)
    epsilon = many_run_epsilon(hits, len(in_count), alarms, len(out_count), delta, confidence)
    return ManyRuns(
        float(epsilon), threshold, rate(hits, len(in_count), confidence), rate(alarms, len(out_count), confidence)
    )


def one_run(members: NDArray[np.float64], others: NDArray[np.float64], delta: float, confidence: float) -> OneRun:
    """Return the bound of guessing the surest records in and the least sure ones out, abstaining on the rest.

    How many to guess is tried in a fixed list of shares, on both sides and on the upper side alone; each gets its part
    of the error (Bonferroni).

    Args:
        members: confidences, ascending, from one training run in which coins decided who is a member.
        others: those of non-members, likewise.
        delta: of the claim.
        confidence: of the bound.
    """
    rng = np.random.default_rng(_SEED)
    inside, thinned = _coins(members, others, rng)
    sizes = _guesses(len(inside))
    each = 1 - (1 - confidence) / len(sizes)
    wins = np.concatenate(([0], np.cumsum(inside)))
    best = OneRun(0.0, len(inside), 0, 0, len(sizes), thinned)
    for top, bottom in sizes:
        # `inside` ascends by confidence: the last are guessed in, the first out.
        correct = int(wins[-1] - wins[len(inside) - top] + bottom - wins[bottom])
        epsilon = one_run_epsilon(len(inside), top + bottom, correct, delta, each)
        if not best.guesses or epsilon > best.epsilon:
            best = OneRun(epsilon, len(inside), top + bottom, correct, len(sizes), thinned)
    return best


def _guesses(canaries: int) -> list[tuple[int, int]]:
    """Return how many to guess in and out, each pair once, fixed by the number of canaries alone."""
    pairs: dict[tuple[int, int], None] = {}
    for share in _SHARES:
        half = math.floor(share * canaries / 2)
        pairs |= dict.fromkeys(((half, half), (half, 0)))
    pairs.pop((0, 0), None)
    return list(pairs) or [(1, 0)]


def _coins(
    members: NDArray[np.float64], others: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], bool]:
    """Return whether each record was in, ascending by confidence with ties in random order, and whether some were cut.

    Guessing always "in" would be right more often than a fair coin where members are the more numerous.
    """
    total = len(members) + len(others)
    thinned = abs(len(members) - len(others)) > _FAIR * math.sqrt(total)
    if thinned:
        size = min(len(members), len(others))
        members, others = (rng.permutation(one)[:size] for one in (members, others))
    inside = np.concatenate((np.ones(len(members), dtype=np.bool_), np.zeros(len(others), dtype=np.bool_)))
    score = np.concatenate((members, others))
    order = rng.permutation(len(score))
    return inside[order[np.argsort(score[order], kind="stable")]], thinned


def _halves(values: NDArray[np.float64], rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mixed = rng.permutation(values)
    cut = len(values) // 2
    return np.sort(mixed[:cut]), np.sort(mixed[cut:])


def _candidates(members: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return thresholds to choose from: quantiles of both groups and what lies between, densest in the tails."""
    found = []
    for values in (members, others):
        steps = np.unique(np.geomspace(1, len(values), min(_THRESHOLDS, len(values))).astype(np.int64))
        found += [values[steps - 1], values[len(values) - steps]]
    held = np.unique(np.concatenate(found))
    return np.unique(np.concatenate((held, (held[1:] + held[:-1]) / 2)))


def _above(values: NDArray[np.float64], threshold: float) -> int:
    return len(values) - int(np.searchsorted(values, threshold, side="right"))

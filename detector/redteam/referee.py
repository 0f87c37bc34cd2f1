"""Did the attack get what it was after, and does the result look like anybody?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.attacks.base import Knowledge, Outcome, Technique
    from detector.redteam.models import TargetModel
    from detector.redteam.sessions import Quarry

REACHED = 0.9
"""Confidence in the target at which an inversion has succeeded."""
AGREED = 0.85
"""Share of records on which a stolen copy answers like its original."""
ADVANTAGE = 0.6
"""Area under the ROC curve at which a membership attack tells members from others; 0.5 is guessing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attack ended."""

    success: bool
    """The attack reached its own goal."""
    resembles: bool | None = None
    """The result lies as near to members as real records do; None where there is no such result."""


def judge(
    technique: Technique,
    model: TargetModel,
    outcome: Outcome,
    knowledge: Knowledge,
    quarry: Quarry | None,
) -> Verdict:
    """Judge `outcome` against the truth, which the attacker never sees. Nothing here is logged."""
    match technique:
        case "inversion":
            return Verdict(_reached(model, outcome) >= REACHED, _resembles(model, outcome.best))
        case "evasion":
            return Verdict(_nearer_than_nature(model, outcome))
        case "extraction":
            said = model.predict(model.form.clean(knowledge.exam)).argmax(axis=1)
            return Verdict(bool(np.mean(outcome.claims == said) >= AGREED))
        case "membership":
            return Verdict(quarry is not None and _auc(outcome.claims, quarry.truth) >= ADVANTAGE)
        case "attribute":
            return Verdict(quarry is not None and _beats_the_class(outcome.claims, quarry))


def _reached(model: TargetModel, outcome: Outcome) -> float:
    """Return the probability of the target that the attack was shown, or would have been had it asked for it."""
    if outcome.confidence is not None or outcome.best is None or outcome.target is None:
        return outcome.confidence or 0.0
    shown = model.predict(model.form.clean(outcome.best[None]))[0]
    return float(shown[model.classes.index(outcome.target)])


def _distances(row: FloatArray, others: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(others - row, axis=1))


def _resembles(model: TargetModel, best: FloatArray | None) -> bool:
    """Whether `best` lies no farther from its nearest member than 99 of 100 hold-out records do."""
    if best is None:
        return False
    from sklearn.metrics.pairwise import euclidean_distances

    rows = model.position(np.vstack([best[None], model.holdout.rows]))
    nearest = euclidean_distances(rows, model.position(model.train.rows)).min(axis=1)
    return bool(nearest[0] <= np.quantile(nearest[1:], 0.99))


def _nearer_than_nature(model: TargetModel, outcome: Outcome) -> bool:
    """Whether the misclassified result lies nearer to its source than any real record of another class."""
    if outcome.best is None or outcome.source is None:
        return False
    pair = model.form.clean(np.vstack([outcome.source, outcome.best]))
    before, after = model.predict(pair).argmax(axis=1)
    others = model.position(model.train.rows[model.train.labels != before])
    source, result = model.position(pair)
    return bool(before != after and _distances(source, result[None])[0] < _distances(source, others).min())


def _auc(scores: IntArray | FloatArray | None, truth: IntArray) -> float:
    """Return the chance that a member scores above another, ties counting half; 0.5 without scores."""
    if scores is None:
        return 0.5
    above = scores[truth == 1][:, None] - scores[truth == 0][None]
    return float(np.mean((above > 0) + 0.5 * (above == 0)))


def _beats_the_class(claims: IntArray | FloatArray | None, quarry: Quarry) -> bool:
    """Whether the claims are right more often than the commonest value of each victim's class would be."""
    if claims is None:
        return False
    guesses = np.zeros_like(quarry.truth)
    for label in np.unique(quarry.known.labels):
        of_class = quarry.known.labels == label
        guesses[of_class] = np.bincount(quarry.truth[of_class]).argmax()
    return bool(np.mean(claims == quarry.truth) > np.mean(guesses == quarry.truth))

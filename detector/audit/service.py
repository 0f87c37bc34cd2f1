"""A whole audit: the attack, both empirical bounds, the declared ε, and what they say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from detector.audit import attack
from detector.errors import AuditError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.audit.attack import ManyRuns, OneRun, Operating
    from detector.audit.declared import Declared
    from detector.audit.reading import Confidences

DELTA = 1e-5
CONFIDENCE = 0.95


class Runs(StrEnum):
    """How many training runs the confidences come from, which decides the bound that proves something."""

    ONE = "one"
    MANY = "many"


class Verdict(StrEnum):
    """What the empirical bound says to the declared ε."""

    CONTRADICTED = "contradicted"
    COMPATIBLE = "compatible"
    UNDECLARED = "undeclared"


@dataclass(frozen=True)
class Audit:
    """What members' and non-members' confidences tell of a model's privacy.

    Attributes:
        members: how many records were trained on.
        others: how many were not.
        member_median: the model's median confidence on members; how over-confident it is shows beside the other one.
        other_median: the same on non-members.
        delta: δ of the bounds.
        confidence: of each bound and interval, between 0 and 1.
        runs: what the confidences are taken to come from.
        auc: how often a member is above a non-member; 0.5 is guessing.
        operating: the attack at low rates of false alarms.
        many_runs: the bound for independent runs; None with too few records.
        one_run: the bound for one run.
        declared: what the training promised, where that is known.
    """

    members: int
    others: int
    member_median: float
    other_median: float
    delta: float
    confidence: float
    runs: Runs
    auc: float
    operating: tuple[Operating, ...]
    many_runs: ManyRuns | None
    one_run: OneRun
    declared: Declared | None

    @property
    def epsilon(self) -> float:
        """The lower bound whose premise fits `runs`; 0 bounds nothing."""
        if self.runs is Runs.ONE:
            return self.one_run.epsilon
        return self.many_runs.epsilon if self.many_runs is not None else 0.0

    @property
    def verdict(self) -> Verdict:
        """What that bound says to the declared ε."""
        if self.declared is None:
            return Verdict.UNDECLARED
        return Verdict.CONTRADICTED if self.epsilon > self.declared.epsilon else Verdict.COMPATIBLE


def audit(
    members: NDArray[np.float64],
    others: NDArray[np.float64],
    *,
    delta: float = DELTA,
    confidence: float = CONFIDENCE,
    runs: Runs = Runs.ONE,
    declared: Declared | None = None,
) -> Audit:
    """Return what the confidences tell; their order does not matter.

    Args:
        members: confidence in the true class of each record trained on, any finite score that is larger for members.
        others: the same of records not trained on, of the same kind otherwise.
        delta: δ of the claim, 0 or more and below 1; with `declared` it must be that of the declaration.
        confidence: of each bound and interval, above 0.5 and below 1.
        runs: whether all come from one trained model, or each from a training run of its own.
        declared: what the training promised.

    Raises:
        AuditError: there is nothing to compare, or a parameter is out of its range.
    """
    _check(members, others, delta, confidence, declared)
    inside, outside = np.sort(members), np.sort(others)
    return Audit(
        members=len(inside),
        others=len(outside),
        member_median=float(np.median(inside)),
        other_median=float(np.median(outside)),
        delta=delta,
        confidence=confidence,
        runs=runs,
        auc=attack.auc(inside, outside),
        operating=tuple(attack.operating(inside, outside, limit, confidence) for limit in attack.FALSE_ALARMS),
        many_runs=attack.many_runs(inside, outside, delta, confidence),
        one_run=attack.one_run(inside, outside, delta, confidence),
        declared=declared,
    )


def split_canaries(file: Confidences) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the confidences of the canaries that were put in and of those that were left out.

    Raises:
        AuditError: the file does not tell which were put in, or all were, or none.
    """
    if file.included is None:
        raise AuditError(
            "the canaries do not tell which of them were trained on",
            file=file.name,
            expected="a column `included` (true or false), drawn by a fair coin for each canary before training",
        )
    inside, outside = file.values[file.included], file.values[~file.included]
    if not len(inside) or not len(outside):
        what = "none" if not len(inside) else "all"
        raise AuditError(
            f"{what} of the canaries were trained on", file=file.name, expected="canaries put in and canaries left out"
        )
    return inside, outside


def _check(
    members: NDArray[np.float64],
    others: NDArray[np.float64],
    delta: float,
    confidence: float,
    declared: Declared | None,
) -> None:
    if not len(members) or not len(others):
        raise AuditError("there is nothing to compare", expected="at least one member and one non-member")
    if not (np.isfinite(members).all() and np.isfinite(others).all()):
        raise AuditError("some confidences are not finite", expected="a number for every record")
    if not 0 <= delta < 1:
        raise AuditError(f"δ = {delta:g} is no probability", expected="0 <= δ < 1")
    if not 0.5 < confidence < 1:
        raise AuditError(f"a confidence of {confidence:g} is none", expected="above 0.5 and below 1, like 0.95")
    if declared is not None and declared.privacy.delta != delta:
        raise AuditError(
            f"δ = {delta:g} is not the declared {declared.privacy.delta:g}",
            expected="one δ for both, or they say nothing to each other",
        )

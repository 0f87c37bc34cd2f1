"""Item 3: the confidences during the attack, against the same client before and against benign clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.evidence.numbers import odds, probability
from detector.model import EvidenceItem, EvidenceStatus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.evidence.context import IncidentContext, Reference

NUMBER = 3
TITLE = "Confidence distributions during the attack"
BEFORE = "Same client before"
BENIGN = "Benign clients"
BINS = 30
ODDS = (-3.0, 12.0)
"""First and last edge of the bins, in log-odds: near certainty is where attack and ordinary use differ."""

_WHOSE = {BEFORE: "the same client before", BENIGN: "benign clients"}
_ABSENT = {
    BEFORE: "The client has no logged confidences from before the attack.",
    BENIGN: "No other client of the model told its confidences in these nights.",
}


@dataclass(frozen=True)
class Distribution:
    """The confidences of a group of answers.

    Attributes:
        name: whose.
        note: where they come from.
        shares: share of the answers in each of `BINS` bins that are equal in log-odds; the outer ones are open.
        count: answers that told their confidence.
        median: of them.
        distance: largest difference of cumulated shares to the attack's (Kolmogorov-Smirnov); None for the attack.
    """

    name: str
    note: str
    shares: tuple[float, ...]
    count: int
    median: float
    distance: float | None


@dataclass(frozen=True)
class ConfidenceEvidence:
    """Item 3: the attack's distribution first, then those to compare it with."""

    item: EvidenceItem
    distributions: tuple[Distribution, ...]


def examine(context: IncidentContext) -> ConfidenceEvidence:
    """Return the confidences of the attack beside those of the client before and of benign clients."""
    attack = context.queries.confidence[np.isfinite(context.queries.confidence)]
    if not len(attack):
        return ConfidenceEvidence(EvidenceItem(NUMBER, TITLE, EvidenceStatus.UNAVAILABLE, _why_not(context)), ())
    found = [describe("During the attack", f"{len(attack):,} answers", attack)]
    for name, reference in ((BEFORE, context.before), (BENIGN, context.peers)):
        if reference is not None and len(reference.confidence):
            found.append(describe(name, _origin(reference), reference.confidence, attack))
    reason = _reason(context, found)
    facts = tuple(fact for one in found for fact in _facts(one))
    return ConfidenceEvidence(EvidenceItem(NUMBER, TITLE, EvidenceStatus.CAPTURED, reason, facts), tuple(found))


def distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples: 0 for alike, 1 for fully apart.

    No p-value goes with it: the queries of one client are not independent draws.
    """
    points = np.concatenate([first, second])
    left = np.searchsorted(np.sort(first), points, side="right") / len(first)
    right = np.searchsorted(np.sort(second), points, side="right") / len(second)
    return float(np.abs(left - right).max())


def describe(
    name: str, note: str, values: NDArray[np.float64], attack: NDArray[np.float64] | None = None
) -> Distribution:
    """Return the distribution of confidences, of which there is at least one.

    Args:
        name: whose they are.
        note: where they come from.
        values: the confidences.
        attack: those of the attack, to compare with; None for its own.
    """
    counts, _ = np.histogram(np.clip(odds(values), *ODDS), bins=BINS, range=ODDS)
    apart = distance(attack, values) if attack is not None else None
    shares = tuple(float(count) / len(values) for count in counts)
    return Distribution(name, note, shares, len(values), float(np.median(values)), apart)


def _origin(reference: Reference) -> str:
    clients = f"{reference.clients:,} client{'s' if reference.clients != 1 else ''}"
    nights = f"{len(reference.nights)} night{'s' if len(reference.nights) != 1 else ''}"
    return f"{len(reference.confidence):,} answers, {clients}, {nights}"


def _facts(one: Distribution) -> tuple[tuple[str, str], ...]:
    median = (f"{one.name}: median", f"{probability(one.median)} ({one.note})")
    if one.distance is None:
        return (median,)
    return median, (f"{one.name}: KS distance to the attack", f"{one.distance:.2f}")


def _reason(context: IncidentContext, found: list[Distribution]) -> str:
    attack, *others = found
    beside = " and ".join(f"{one.count:,} of {_WHOSE[one.name]}" for one in others)
    text = f"{attack.count:,} answers told how sure the model was{f', beside {beside}' if beside else ''}."
    absent = [told for one, told in _ABSENT.items() if one not in {one.name for one in others}]
    rise = next((one for one in context.pursuits if one.scored), None)
    if rise is not None:
        text += (
            f" The probability of class {rise.target} went from {probability(rise.start)} to {probability(rise.final)}."
        )
    return " ".join([text, *absent])


def _why_not(context: IncidentContext) -> str:
    if not context.query_total:
        return "The queries behind the findings are no longer in the store: ingest the log files of these nights again."
    return (
        "The log holds no confidences or probabilities for these queries. "
        "Log `output.confidence`, or `output.probabilities`, even where they are not returned to the client."
    )

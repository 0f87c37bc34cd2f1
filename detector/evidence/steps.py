"""What an attack learned, step by step, and how much of it would still show in poorer answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from detector.model import Technique

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from detector.evidence.context import IncidentContext, Pursuit, Queries

Answers = Literal["2 decimals", "1 decimal", "bands", "label"]
"""Poorer answers: probabilities rounded, the label with one of three bands of its confidence, the label alone."""

BANDS = (0.5, 0.9)
_DIGITS: dict[Answers, int] = {"2 decimals": 2, "1 decimal": 1}
_MOST_ANSWERS = 5_000

IMPROVEMENTS = (
    "A step is a query whose answer raised the best probability of the class pursued. It still shows where the poorer "
    "answer would have risen too."
)
FLIPS = (
    "A step is a query whose label turned into the class pursued, or away from it: without scores an attacker learns "
    "from nothing else."
)
BITS = (
    "No single class was climbed towards, so what is counted is what the answers tell apart: the entropy of the "
    "poorer answers against that of the answers given."
)


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of an attack.

    Attributes:
        measure: what a step is, for a reader.
        rows: the held queries that are steps; all of them where every answer counts.
        shown: by poorer answers, the share of the steps that still shows.
        last: by poorer answers, the last held query whose progress would have shown; None where none would, or where
            there is no progress to see.
    """

    measure: str
    rows: NDArray[np.int64]
    shown: dict[Answers, float]
    last: dict[Answers, int | None]


def find(context: IncidentContext) -> Steps | None:
    """Return the steps of an attack, None where its answers told nothing."""
    pursuits = context.pursuits if Technique.INVERSION in context.incident.techniques else ()
    scored = [one for one in pursuits if one.scored]
    if scored:
        found = _climbed(context.queries, scored)
        if len(found.rows):
            return found
    if pursuits and not scored:
        return _flipped(context.queries, pursuits)
    return _told_apart(context.queries)


def _climbed(queries: Queries, pursuits: Sequence[Pursuit]) -> Steps:
    rows = [one.rows[_rises(one.probability)] for one in pursuits]
    total = sum(len(one) for one in rows)
    shown: dict[Answers, float] = {}
    last: dict[Answers, int | None] = {}
    for answers in _all():
        seen = [
            one.rows[_rises(poorer(one.probability, queries.label[one.rows] == one.target, answers))]
            for one in pursuits
        ]
        # What rises in the poorer answer alone, after its lead was rounded away, was no step of this attack.
        kept = np.concatenate([np.intersect1d(a, b) for a, b in zip(seen, rows, strict=True)])
        shown[answers] = len(kept) / total if total else 0.0
        last[answers] = int(kept.max()) if len(kept) else None
    return Steps(IMPROVEMENTS, np.sort(np.concatenate(rows)), shown, last)


def _flipped(queries: Queries, pursuits: Sequence[Pursuit]) -> Steps:
    rows = []
    for one in pursuits:
        is_target = queries.label[one.rows] == one.target
        rows.append(one.rows[np.flatnonzero(is_target[1:] != is_target[:-1]) + 1])
    joined = np.sort(np.concatenate(rows))
    last = int(joined.max()) if len(joined) else None
    return Steps(FLIPS, joined, dict.fromkeys(_all(), 1.0), dict.fromkeys(_all(), last))


def _told_apart(queries: Queries) -> Steps | None:
    count = len(queries)
    if not count:
        return None
    some = np.unique(np.linspace(0, count - 1, min(_MOST_ANSWERS, count)).astype(np.int64))
    codes = np.unique(queries.label[some].astype(str), return_inverse=True)[1].astype(np.float64)
    scores = queries.probabilities.values[some].astype(np.float64)
    if not np.isfinite(scores).any():
        scores = queries.confidence[some][:, None]
    confidence = queries.confidence[some]
    whole = _entropy(codes, scores)
    shown: dict[Answers, float] = {}
    for answers in _all():
        if answers in _DIGITS:
            left = _entropy(codes, np.round(scores, _DIGITS[answers]))
        else:
            left = _entropy(codes, _band(confidence)[:, None] if answers == "bands" else np.empty((len(some), 0)))
        shown[answers] = min(1.0, left / whole) if whole > 0 else 1.0
    return Steps(BITS, np.arange(count), shown, dict.fromkeys(_all()))


def poorer(probability: NDArray[np.float64], is_label: NDArray[np.bool_], answers: Answers) -> NDArray[np.float64]:
    """Return what poorer answers would have told of a class's probability.

    Args:
        probability: of the class, a value a query; NaN where the answer does not tell.
        is_label: whether the answer's label is that class.
        answers: how poor.
    """
    if answers in _DIGITS:
        return np.asarray(np.round(probability, _DIGITS[answers]))
    if answers == "bands":
        # Only the label's own confidence is banded: of another class nothing is told.
        return np.where(is_label, 1.0 + _band(probability), 0.0)
    return is_label.astype(np.float64)


def _band(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.searchsorted(BANDS, np.nan_to_num(confidence), side="right").astype(np.float64)


def _rises(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where values exceed all before them; the first value known exceeds nothing."""
    best = np.fmax.accumulate(values)
    return np.flatnonzero(values[1:] > best[:-1]) + 1


def _entropy(codes: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """Return the entropy of answers in bits, as far as this many of them can tell."""
    joined = np.column_stack([codes, np.nan_to_num(scores, nan=-1.0)])
    counts = np.unique(joined, axis=0, return_counts=True)[1]
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum())


def _all() -> tuple[Answers, ...]:
    return "2 decimals", "1 decimal", "bands", "label"

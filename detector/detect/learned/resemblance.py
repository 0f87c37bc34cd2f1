"""What windows resemble, by what the laboratory taught.

The trees have seen windows of real attacks and of benign workloads that look like them, on many models, and none of
this site. Two things make it fit a site: what the model's own benign nights score is the bar that a window has to
clear, and volume, pace and everything that compares with other clients is kept from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.detect.learned.forest import shipped
from detector.detect.learned.words import ORDINARY, technique_of
from detector.features.registry import NAMES
from detector.model import Horizon, Technique

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.baseline.model import Baseline
    from detector.detect.learned.forest import Forest, Learned
    from detector.model import Windows

FEWEST_QUERIES = 60
SUSPICIOUS = 0.55
# One field changed in record after record: a fairness audit is a sweep for a sensitive field in all but its purpose.
_AMBIGUOUS = {Technique.ATTRIBUTE: 0.75}
# No benign night may lift the bar above this: a site whose baseline holds an attack would be blind to its like.
_HIGHEST_BAR = 0.7
_BENIGN_QUANTILE = 0.995
# What a workload has to be for it to explain a finding: little like attacks, nothing to the boosted trees, and enough
# like one workload. A sweep for a copy is a little like many; it has to be more like one.
_UNSUSPICIOUS = 0.3
_RULED_OUT = 0.05
_RECOGNISED = 0.15
_RECOGNISED_BROAD = 0.3


@dataclass(frozen=True)
class Resemblance:
    """What one window resembles.

    Attributes:
        row: its label in the frame of windows.
        window: kind and id of its entity, and its horizon.
        attack: how much it is like attacks, from 0 to 1: the mean of what the forest and the boosted trees say.
        boosted: probability of an attack by the boosted trees alone.
        bar: what `attack` has to reach to be a finding of medium.
        p: share of the model's benign windows that reach as much; None without a baseline.
        technique, family: the attack that it resembles most.
        workload: the benign workload that it resembles most, ordinary customers left out.
        workload_share: that workload's share.
        ordinary: share of ordinary customers.
    """

    row: int
    window: tuple[str, str, str]
    attack: float
    boosted: float
    bar: float
    p: float | None
    technique: Technique
    family: str
    workload: str
    workload_share: float
    ordinary: float

    @property
    def suspicious(self) -> bool:
        """Whether it clears the bar."""
        return self.attack >= self.bar

    def explains(self, technique: Technique) -> bool:
        """Whether a benign workload explains what a rule took for `technique` better than any attack does."""
        enough = _RECOGNISED_BROAD if technique is Technique.EXTRACTION else _RECOGNISED
        unlike = self.attack < _UNSUSPICIOUS and self.boosted < _RULED_OUT
        return unlike and self.workload_share >= enough


def lowest_bar(technique: Technique) -> float:
    """Return the share of attacks from which a window is suspicious of `technique` where no baseline lifts it."""
    return _AMBIGUOUS.get(technique, SUSPICIOUS)


@dataclass(frozen=True)
class _Benign:
    """The model's benign windows of one horizon: their attack shares, ascending, and the bar that these ask for."""

    attack: NDArray[np.float64]
    asked: float

    @classmethod
    def of(cls, attack: NDArray[np.float64]) -> _Benign:
        return cls(np.sort(attack), float(np.quantile(attack, _BENIGN_QUANTILE)))

    def bar(self, lowest: float) -> float:
        return float(np.clip(self.asked, lowest, max(lowest, _HIGHEST_BAR)))

    def p(self, attack: float) -> float:
        as_high = len(self.attack) - int(np.searchsorted(self.attack, attack))
        return (1 + as_high) / (len(self.attack) + 1)


def resemblances(windows: Windows, baseline: Baseline | None) -> tuple[Resemblance, ...]:
    """Return what each window of enough queries resembles, in the order of the windows."""
    frame = windows.frame
    chosen = frame[frame["query_count"] >= FEWEST_QUERIES]
    if chosen.empty:
        return ()
    taught = shipped()
    rows = chosen[list(taught.features)].to_numpy(dtype=np.float64)
    shares = taught.forest.resembles(rows)
    boosted = taught.boosted.attack(rows)
    attack = taught.attack(shares, boosted)
    benign = {horizon.value: _against(taught, baseline, horizon) for horizon in Horizon}
    keys = list(chosen[["entity_kind", "entity_id", "horizon"]].itertuples(index=False, name=None))
    return tuple(
        _resemblance(
            (int(row), keys[i]), (float(attack[i]), float(boosted[i])), shares[i], benign[keys[i][2]], taught.forest
        )
        for i, row in enumerate(chosen.index)
    )


def _against(taught: Learned, baseline: Baseline | None, horizon: Horizon) -> _Benign | None:
    """Return the model's benign windows; None without a baseline, or where it has none of enough queries."""
    if baseline is None:
        return None
    columns = [NAMES.index(name) for name in taught.features]
    benign = baseline.matrix(horizon)
    enough = benign[:, NAMES.index("query_count")] >= FEWEST_QUERIES
    if not enough.any():
        return None
    rows = benign[enough][:, columns]
    return _Benign.of(taught.attack(taught.forest.resembles(rows), taught.boosted.attack(rows)))


def _resemblance(
    place: tuple[int, tuple[str, str, str]],
    scores: tuple[float, float],
    shares: NDArray[np.float64],
    benign: _Benign | None,
    forest: Forest,
) -> Resemblance:
    attack, boosted = scores
    family = forest.classes[int(np.where(forest.attacks, shares, -1.0).argmax())]
    workload = int(forest.workloads[shares[forest.workloads].argmax()])
    technique = technique_of(family) or Technique.PROBING
    lowest = lowest_bar(technique)
    return Resemblance(
        row=place[0],
        window=place[1],
        attack=attack,
        boosted=boosted,
        bar=benign.bar(lowest) if benign else lowest,
        p=benign.p(attack) if benign else None,
        technique=technique,
        family=family,
        workload=forest.classes[workload],
        workload_share=float(shares[workload]),
        ordinary=float(shares[forest.classes.index(ORDINARY)]),
    )

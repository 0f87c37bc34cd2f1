"""What windows resemble, by what the laboratory taught.

The trees have seen windows of real attacks and of benign workloads that look like them, on many models, and none of
this site. Three things make it fit a site: the trees see how far a window lies from the model's own benign nights, what
these score is the bar that it has to clear, and volume, pace and everything that compares with other clients of the
night is kept from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from detector.detect.learned.forest import shipped
from detector.detect.learned.usual import Usual, beside
from detector.detect.learned.words import ORDINARY, technique_of
from detector.features.registry import NAMES
from detector.model import EntityKind, Horizon, Technique

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from detector.baseline.model import Baseline
    from detector.detect.learned.forest import Forest, Learned
    from detector.model import Windows

FEWEST_QUERIES = 60
SUSPICIOUS = 0.6
# One field changed in record after record: a fairness audit is a sweep for a sensitive field in all but its purpose.
_AMBIGUOUS = {Technique.ATTRIBUTE: 0.65}
# A network pools who happens to share it, a campaign may be one service on many keys: few such streams were taught.
_LOWEST_OF_POOLED = 0.72
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
        seen: float64 (2F,), what the trees saw of it.
        attack: how much it is like attacks, from 0 to 1: the mean of what the forest and the boosted trees say.
        boosted: probability of an attack by the boosted trees alone.
        bar: what `attack` has to reach to be a finding of medium.
        p: with what probability a benign window reaches as much: one of a workload of a model never seen, or, where
            that is more often, of this model's own benign nights.
        technique, family: the attack that it resembles most.
        workload: the benign workload that it resembles most, ordinary customers left out.
        workload_share: that workload's share.
        ordinary: share of ordinary customers.
    """

    row: int
    window: tuple[str, str, str]
    seen: NDArray[np.float64] = field(repr=False, compare=False)
    attack: float
    boosted: float
    bar: float
    p: float
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


def lowest_bar(technique: Technique, kind: str = EntityKind.CLIENT) -> float:
    """Return the attack share from which a window of an entity of `kind` is suspicious; a baseline may lift it."""
    return max(_AMBIGUOUS.get(technique, SUSPICIOUS), 0.0 if kind == EntityKind.CLIENT else _LOWEST_OF_POOLED)


@dataclass(frozen=True)
class _Benign:
    """The model's benign windows of a horizon: what is usual, their attack shares, ascending, and the bar asked for."""

    usual: Usual | None
    attack: NDArray[np.float64]
    asked: float

    @classmethod
    def of(cls, taught: Learned, baseline: Baseline, horizon: Horizon) -> _Benign | None:
        """Judge the windows of enough queries; None where there are none."""
        held = baseline.matrix(horizon)
        held = held[held[:, NAMES.index("query_count")] >= FEWEST_QUERIES]
        if not len(held):
            return None
        measured = held[:, [NAMES.index(name) for name in taught.features]]
        usual = Usual.of(measured)
        rows = beside(measured, usual)
        attack = taught.attack(taught.forest.resembles(rows), taught.boosted.attack(rows))
        return cls(usual, np.sort(attack), float(np.quantile(attack, _BENIGN_QUANTILE)))

    def bar(self, lowest: float) -> float:
        return float(np.clip(self.asked, lowest, max(lowest, _HIGHEST_BAR)))

    def p(self, attack: float) -> float:
        """Return how often these reach as much; 0 where none does: that they are few says nothing of the site."""
        as_high = len(self.attack) - int(np.searchsorted(self.attack, attack))
        return (1 + as_high) / (len(self.attack) + 1) if as_high else 0.0


def resemblances(windows: Windows, baseline: Baseline | None) -> tuple[Resemblance, ...]:
    """Return what each window of enough queries resembles, in the order of the windows."""
    frame = windows.frame
    chosen = frame[frame["query_count"] >= FEWEST_QUERIES]
    if chosen.empty:
        return ()
    taught = shipped()
    benign = {h.value: None if baseline is None else _Benign.of(taught, baseline, h) for h in Horizon}
    rows = _seen(taught, chosen, benign)
    shares = taught.forest.resembles(rows)
    boosted = taught.boosted.attack(rows)
    attack = taught.attack(shares, boosted)
    keys = list(chosen[["entity_kind", "entity_id", "horizon"]].itertuples(index=False, name=None))
    scores = zip(attack.tolist(), boosted.tolist(), taught.p(attack).tolist(), strict=True)
    return tuple(
        _resemblance((int(row), key), seen, score, share, benign[key[2]], taught.forest)
        for row, key, seen, score, share in zip(chosen.index, keys, rows, scores, shares, strict=True)
    )


def _seen(taught: Learned, frame: pd.DataFrame, benign: Mapping[str, _Benign | None]) -> NDArray[np.float64]:
    """Return what the trees see of windows: their measurements, and how far each is from what is usual, (n, 2F).

    The baseline describes clients: of what several send together nothing is known to be usual.
    """
    rows = frame[list(taught.features)].to_numpy(dtype=np.float64)
    out = beside(rows, None)
    clients = frame["entity_kind"] == EntityKind.CLIENT.value
    for horizon, known in benign.items():
        if known is not None:
            mine = (clients & (frame["horizon"] == horizon)).to_numpy()
            out[mine] = beside(rows[mine], known.usual)
    return out


def _resemblance(
    place: tuple[int, tuple[str, str, str]],
    seen: NDArray[np.float64],
    scores: tuple[float, float, float],
    shares: NDArray[np.float64],
    benign: _Benign | None,
    forest: Forest,
) -> Resemblance:
    attack, boosted, p = scores
    family = forest.classes[int(np.where(forest.attacks, shares, -1.0).argmax())]
    workload = int(forest.workloads[shares[forest.workloads].argmax()])
    technique = technique_of(family) or Technique.PROBING
    lowest = lowest_bar(technique, place[1][0])
    return Resemblance(
        row=place[0],
        window=place[1],
        seen=seen,
        attack=attack,
        boosted=boosted,
        bar=benign.bar(lowest) if benign else lowest,
        p=max(p, benign.p(attack)) if benign else p,
        technique=technique,
        family=family,
        workload=forest.classes[workload],
        workload_share=float(shares[workload]),
        ordinary=float(shares[forest.classes.index(ORDINARY)]),
    )

"""A job that scores a whole table every night."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.nights import HOUR, SECOND, Nights
from detector.redteam.traffic import Asking, Plan

if TYPE_CHECKING:
    from detector.redteam.models import TargetModel

_EVERYTHING = Asking(probabilities=True)


@dataclass(frozen=True, slots=True)
class NightlyBatch:
    """Score a table page by page at the same hour every night and keep all probabilities."""

    family: ClassVar[str] = "benign_nightly_batch"

    size: int = 450
    """Records a night."""
    hour: float = 2.0
    """UTC hour at which it starts, 0 to 23."""
    page: int = 50
    """Records sent in one go; the job pauses between pages."""
    unchanged: float = 0.5
    """Share of the table, 0 to 1, that is as it was the night before."""
    asking: Asking = _EVERYTHING

    def plan(self, model: TargetModel, nights: Nights, rng: np.random.Generator) -> Plan:
        """See Workload."""
        whole = Plan.served(np.empty(0, dtype=np.int64), np.empty((0, len(model.form.low))), self.asking)
        chosen = rng.integers(len(model.field), size=self.size)
        table = model.vary(model.field.rows[chosen], rng)
        for night in range(nights.count):
            changed = rng.random(self.size) >= self.unchanged
            drawn = model.field.rows[rng.integers(len(model.field), size=int(changed.sum()))]
            table = table.copy()
            table[changed] = model.vary(drawn, rng)
            start = nights.midnight(night) + int(self.hour * HOUR) + int(rng.integers(300 * SECOND))
            gaps = rng.gamma(4.0, 0.005, size=self.size)
            gaps[:: self.page] += 1.5
            times = start + (np.cumsum(gaps) * SECOND).astype(np.int64)
            whole = whole.joined(Plan.served(times, table, self.asking))
        return whole

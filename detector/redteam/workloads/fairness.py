"""Does the answer depend on a field on which it must not?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.routine import own_sample, shared_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel


@dataclass(frozen=True, slots=True)
class FairnessAudit:
    """Send each record with every level of one protected category: what an attribute sweep does, with nothing to learn.

    Kusner et al., "Counterfactual Fairness", NeurIPS 2017.
    """

    family: ClassVar[str] = "benign_fairness_audit"

    records: int
    """Records audited in one visit, 1 or more."""
    choice: float = 0.0
    """Which of the categories is the protected one: a share, 0 to below 1, of the way through them."""
    original_first: bool = True
    """Whether each record is sent as it is before it is changed; else the levels come in their order."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        each = max(model.form.levels)
        return cls(shared_out(rng, each, high=1_500), float(rng.random()), bool(rng.random() < 0.5))

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        categories = np.flatnonzero(np.array(model.form.levels) > 1)
        column = int(categories[int(self.choice * len(categories))])
        levels = np.arange(model.form.levels[column], dtype=np.float64)
        while True:
            rows = np.repeat(own_sample(model, self.records, rng), len(levels), axis=0)
            wanted = np.tile(levels, self.records)
            if self.original_first:
                # Counting on from the record's own level, around the end.
                wanted = (wanted + rows[:, column]) % len(levels)
            rows[:, column] = wanted
            yield rows

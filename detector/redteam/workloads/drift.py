"""A population that changes for good reasons: another season, scanner or town."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.ordinary import own_records
from detector.redteam.workloads.regions import numeric
from detector.redteam.workloads.routine import log_uniform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel


@dataclass(frozen=True, slots=True)
class DriftedPopulation:
    """Records whose numbers move, scale and fade a little more with every visit, and whose classes change shares."""

    family: ClassVar[str] = "benign_drift"

    records: int
    """Records a visit, 1 or more."""
    shift: float = 0.1
    """How far a number moves in the end, as a share of its range."""
    scale: float = 0.8
    """By how much contrasts shrink or grow in the end."""
    visits_to_end: int = 2
    """Visits after which nothing moves on."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        del model
        return cls(
            records=round(log_uniform(rng, 150, 2_000)),
            shift=float(rng.uniform(-0.2, 0.2)),
            scale=float(rng.uniform(0.5, 1.4)),
            visits_to_end=int(rng.integers(1, 4)),
        )

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        before, after = own_records(model, rng), own_records(model, rng)
        numbers = numeric(model)
        centre = model.field.rows.mean(axis=0)
        direction = numbers * (model.form.high - model.form.low) * rng.choice([0.0, 1.0], size=len(numbers))
        done = 0.0
        while True:
            reached = min(1.0, done + 1 / self.visits_to_end)
            progress = np.linspace(done, reached, self.records)[:, None]
            rows = model.vary(before[rng.integers(len(before), size=self.records)], rng)
            others = model.vary(after[rng.integers(len(after), size=self.records)], rng)
            rows = np.where(rng.random((self.records, 1)) < progress, others, rows)
            scaled = centre + (1 + (self.scale - 1) * progress) * (rows - centre)
            moved = np.where(numbers, scaled, rows) + self.shift * progress * direction
            yield np.asarray(np.clip(moved, model.form.low, model.form.high))
            done = reached

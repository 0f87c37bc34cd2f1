"""Sensitivity analysis over the whole input space, which no record ever visits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.routine import shared_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel


@dataclass(frozen=True, slots=True)
class MorrisScreening:
    """Walk through a coarse grid and change one column at a time.

    Morris, "Factorial Sampling Plans for Preliminary Computational Experiments", Technometrics 33(2), 1991.
    """

    family: ClassVar[str] = "benign_morris"

    walks: int
    """Trajectories, each of width + 1 queries, 1 or more."""
    grid: int = 4
    """Levels of each column, an even number."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        return cls(shared_out(rng, len(model.form.low) + 1), int(rng.choice([4, 6, 8])))

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        low, span = model.form.low, model.form.high - model.form.low
        while True:
            yield low + span * np.vstack([self._walk(len(low), rng) for _ in range(self.walks)])

    def _walk(self, width: int, rng: np.random.Generator) -> FloatArray:
        """Return one trajectory in the unit cube, shape (width + 1, width)."""
        jump = self.grid / (2 * (self.grid - 1))
        point = rng.integers(self.grid // 2, size=width) / (self.grid - 1)
        down = rng.random(width) < 0.5
        point[down] += jump
        walk = np.repeat(point[None], width + 1, axis=0)
        for step, column in enumerate(rng.permutation(width).tolist(), start=1):
            walk[step:, column] += -jump if down[column] else jump
        return np.asarray(np.clip(walk, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class SobolIndices:
    """Two random tables, and for each column the first with that column of the second.

    Saltelli et al., "Variance Based Sensitivity Analysis of Model Output", Computer Physics Communications 181(2),
    2010; points by Sobol's sequence, scrambled.
    """

    family: ClassVar[str] = "benign_sobol"

    points: int
    """Rows of a table, a power of two; a visit takes width + 2 times as many queries."""
    spread: float = 1.0
    """Share of each column's range, above 0 to 1, that is looked at, around the middle."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        points = shared_out(rng, len(model.form.low) + 2)
        return cls(2 ** max(1, round(np.log2(points))), float(rng.uniform(0.3, 1.0)))

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        from scipy.stats.qmc import Sobol

        low, span = model.form.low, model.form.high - model.form.low
        width = len(low)
        while True:
            cube = Sobol(2 * width, rng=rng).random(self.points)
            first, second = np.split(0.5 + self.spread * (cube - 0.5), 2, axis=1)
            tables = [first, second]
            for column in range(width):
                mixed = first.copy()
                mixed[:, column] = second[:, column]
                tables.append(mixed)
            yield low + span * np.vstack(tables)

"""From which value on does the answer change? What-if analysis of single fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.regions import numeric, patches, settings_of
from detector.redteam.workloads.routine import own_sample, shared_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.models import TargetModel
    from detector.redteam.recorder import Answer

_MOST_PARTS = 8


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Move one field, or one patch of an image, over its range, and where the label changes, halve the interval.

    Wexler et al., "The What-If Tool: Interactive Probing of Machine Learning Models", IEEE Trans. Visualization and
    Computer Graphics 26(1), 2020.
    """

    family: ClassVar[str] = "benign_what_if"

    records: int
    """Records looked at in one visit, 1 or more."""
    fields: int = 4
    """Fields, or patches, moved in each."""
    points: int = 9
    """Values tried of each before halving."""
    halvings: int = 6
    """How often an interval is halved."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        del model
        fields, points = int(rng.integers(1, _MOST_PARTS)), int(rng.integers(5, 40))
        return cls(shared_out(rng, fields * points, high=1_500), fields, points, int(rng.integers(0, 11)))

    @property
    def budget(self) -> int:
        """See Dialogue."""
        return self.records * self.fields * (self.points + 2 * self.halvings)

    def visit(self, ask: Callable[[FloatArray], Answer], model: TargetModel, rng: np.random.Generator) -> None:
        """See Dialogue."""
        side = max(1, min(model.image_shape) // 3) if model.image_shape is not None else 1
        parts = patches(model, side)
        for row in own_sample(model, self.records, rng):
            for at in rng.choice(len(parts), size=min(self.fields, len(parts)), replace=False).tolist():
                self._move(ask, row, parts[at], model)

    def _move(self, ask: Callable[[FloatArray], Answer], row: FloatArray, part: IntArray, model: TargetModel) -> None:
        values = settings_of(model, int(part[0]), self.points)
        labels = ask(_with(row, part, values)).labels
        turns = np.flatnonzero(labels[1:] != labels[:-1])
        if not numeric(model)[part[0]] or not len(turns):
            return
        below, above = values[turns[0]], values[turns[0] + 1]
        for _ in range(self.halvings):
            middle = (below + above) / 2
            same = ask(_with(row, part, np.array([middle]))).labels[0] == labels[turns[0]]
            below, above = (middle, above) if same else (below, middle)


def _with(row: FloatArray, part: IntArray, values: FloatArray) -> FloatArray:
    """Return copies of `row`, one for each of `values`, in which all of `part` has that value."""
    copies = np.repeat(row[None], len(values), axis=0)
    copies[:, part] = values[:, None]
    return copies

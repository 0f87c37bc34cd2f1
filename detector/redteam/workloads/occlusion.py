"""Which part of this input matters? Cover one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.regions import neutral, patches, without
from detector.redteam.workloads.routine import own_sample, shared_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel


@dataclass(frozen=True, slots=True)
class Occlusion:
    """Slide a cover over each record; without an image, leave out one field after the other.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.
    """

    family: ClassVar[str] = "benign_occlusion"

    records: int
    """Records explained in one visit, 1 or more."""
    side: int = 2
    """Pixels along an edge of the cover."""
    stride: int = 1
    """Pixels between two positions of the cover."""
    black: bool = True
    """The cover is the smallest value there is; else the mean."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        edge = min(model.image_shape[:2]) if model.image_shape else 1
        side = max(1, round(edge * float(rng.uniform(0.12, 0.4))))
        stride = max(1, round(side * float(rng.uniform(0.4, 1.0))))
        each = 1 + len(patches(model, side, stride))
        return cls(shared_out(rng, each), side, stride, bool(rng.random() < 0.6))

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        parts = patches(model, self.side, self.stride)
        filler = model.form.low if self.black and model.image_shape is not None else neutral(model)
        while True:
            rows = own_sample(model, self.records, rng)
            yield np.vstack([np.vstack([row[None], without(row, parts, filler)]) for row in rows])

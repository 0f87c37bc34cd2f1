"""Local surrogates: what a straight line through the answers around one record looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from detector.redteam.workloads.regions import masked, neutral, patches
from detector.redteam.workloads.routine import log_uniform, own_sample, shared_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel

Neighbourhood = Literal["population", "record", "quartiles", "superpixels"]
_KINDS: tuple[Neighbourhood, ...] = ("population", "record", "quartiles", "superpixels")


@dataclass(frozen=True, slots=True)
class Lime:
    """Explain each record by a cloud of perturbed ones around it.

    Ribeiro, Singh and Guestrin, "'Why Should I Trust You?' Explaining the Predictions of Any Classifier", KDD 2016.
    The queries do not depend on answers, only the line fitted afterwards does. Categories are drawn as often as the
    client's own records show them.
    """

    family: ClassVar[str] = "benign_lime"

    records: int
    """Records explained in one visit, 1 or more."""
    perturbations: int = 500
    """Queries about each record, the record itself among them, 1 or more."""
    around: Neighbourhood = "population"
    """Numbers are drawn around the population's mean, or the record, or a quartile's mean; or parts are masked."""
    side: int = 2
    """Pixels along an edge of a superpixel."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        perturbations = round(log_uniform(rng, 60, 1_000))
        masks = 0.6 if model.image_shape is not None else 0.1
        others = (1 - masks) / 3
        kind = _KINDS[int(rng.choice(4, p=[others, others, others, masks]))]
        side = int(rng.integers(1, 1 + max(1, min(model.image_shape[:2]) // 3))) if model.image_shape else 1
        return cls(shared_out(rng, perturbations), perturbations, kind, side)

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        data = model.field.rows
        while True:
            yield np.vstack([self._cloud(row, data, model, rng) for row in own_sample(model, self.records, rng)])

    def _cloud(
        self,
        row: FloatArray,
        data: FloatArray,
        model: TargetModel,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return the record and its perturbations, shape (perturbations, width)."""
        count = self.perturbations
        if self.around == "superpixels":
            parts = patches(model, self.side)
            kept = rng.random((count, len(parts))) < 0.5
            kept[0] = True
            return masked(row, kept, parts, neutral(model))
        if self.around == "quartiles":
            cloud = _by_quartiles(data, count, rng)
        else:
            centre = data.mean(axis=0) if self.around == "population" else row
            cloud = centre + data.std(axis=0) * rng.standard_normal((count, len(row)))
        for column, size in enumerate(model.form.levels):
            if size:
                cloud[:, column] = data[rng.integers(len(data), size=count), column]
        cloud[0] = row
        return cloud


def _by_quartiles(data: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """Draw a quartile for every value, and then the value as within that quartile of `data`, clipped to it."""
    edges = np.quantile(data, [0.0, 0.25, 0.5, 0.75, 1.0], axis=0)
    chosen = rng.integers(4, size=(count, data.shape[1]))
    low = np.take_along_axis(edges, chosen, axis=0)
    high = np.take_along_axis(edges, chosen + 1, axis=0)
    drawn = (low + high) / 2 + (high - low) / 3 * rng.standard_normal(low.shape)
    return np.asarray(np.clip(drawn, low, high))

"""What would have to be different? The search that nobody can tell from an attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.regions import numeric
from detector.redteam.workloads.routine import log_uniform, own_sample, shared_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from detector.redteam.arrays import BoolArray, FloatArray
    from detector.redteam.models import TargetModel
    from detector.redteam.recorder import Answer


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """Search spheres around each record for the nearest one of another class, then put back what is not needed.

    Laugel et al., "Inverse Classification for Comparison-Based Interpretability in Machine Learning" (growing spheres),
    2017. Categories change to a random level, the oftener the larger the sphere.
    """

    family: ClassVar[str] = "benign_counterfactual"

    records: int
    """Records explained in one visit, 1 or more."""
    sphere: int = 60
    """Queries in one sphere."""
    radius: float = 0.3
    """First radius, as a share of the ranges."""
    rings: int = 8
    """Most spheres to grow, and most to shrink."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        sphere = round(log_uniform(rng, 20, 150))
        each = 6 * sphere + len(model.form.low)
        return cls(shared_out(rng, each), sphere, float(rng.uniform(0.05, 0.5)))

    @property
    def budget(self) -> int:
        """See Dialogue."""
        return self.records * (2 * self.rings * self.sphere + 64)

    def visit(self, ask: Callable[[FloatArray], Answer], model: TargetModel, rng: np.random.Generator) -> None:
        """See Dialogue."""
        for row in own_sample(model, self.records, rng):
            label = int(ask(row[None]).labels[0])
            found = self._nearest(ask, row, label, model, rng)
            if found is not None:
                _put_back(ask, row, found, label)

    def _nearest(
        self,
        ask: Callable[[FloatArray], Answer],
        row: FloatArray,
        label: int,
        model: TargetModel,
        rng: np.random.Generator,
    ) -> FloatArray | None:
        """Shrink the sphere while it holds another class, or else grow it until it does."""
        found, inner, outer, shrinking = None, 0.0, self.radius, True
        for _ in range(2 * self.rings):
            sphere = self._shell(row, inner, outer, model, rng)
            others = ask(sphere).labels != label
            if others.any():
                found = _closest(sphere, others, row, model)
                if not shrinking:
                    break
                outer /= 2
            elif shrinking and found is not None:
                break
            else:
                shrinking = False
                inner, outer = outer, outer + self.radius
        return found

    def _shell(
        self,
        row: FloatArray,
        inner: float,
        outer: float,
        model: TargetModel,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Draw inputs at distances between `inner` and `outer`, shape (sphere, width)."""
        form, numbers = model.form, numeric(model)
        directions = rng.standard_normal((self.sphere, len(row))) * numbers
        directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
        reach = rng.uniform(inner, outer, size=(self.sphere, 1)) * np.sqrt(max(1, numbers.sum())) / 2
        shell = np.clip(row + reach * directions * (form.high - form.low), form.low, form.high)
        levels = np.array(form.levels)
        changed = (rng.random(shell.shape) < min(1.0, 0.4 * outer)) & ~numbers
        return np.asarray(np.where(changed, np.floor(rng.random(shell.shape) * np.maximum(levels, 1)), shell))


def _closest(sphere: FloatArray, others: BoolArray, row: FloatArray, model: TargetModel) -> FloatArray:
    span = np.maximum(model.form.high - model.form.low, 1e-12)
    distances = np.linalg.norm((sphere - row) / span, axis=1)
    nearest: FloatArray = sphere[np.where(others, distances, np.inf).argmin()]
    return nearest


def _put_back(ask: Callable[[FloatArray], Answer], row: FloatArray, found: FloatArray, label: int) -> None:
    """Restore one field after the other, the least changed first, and stop when the class comes back."""
    point = found.copy()
    changes = np.abs(found - row)
    for column in [at for at in np.argsort(changes, kind="stable").tolist() if changes[at] > 0]:
        trial = point.copy()
        trial[column] = row[column]
        if ask(trial[None]).labels[0] == label:
            return
        point = trial

"""How does the answer depend on one field? Partial dependence, record by record or over all at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.regions import settings_of
from detector.redteam.workloads.routine import own_sample, shared_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel

_MOST_FIELDS = 12


@dataclass(frozen=True, slots=True)
class _FieldStudy:
    """Some fields, each over a grid of values, for some records."""

    records: int
    """Records looked at for each field, 1 or more."""
    fields: int = 4
    """Fields looked at in one visit, 1 or more."""
    points: int = 12
    """Values tried of each field."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        points = int(rng.integers(6, 26))
        fields = int(rng.integers(1, 1 + min(_MOST_FIELDS, len(model.form.low))))
        return cls(shared_out(rng, points * fields), fields, points)

    def tables(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield, for each field of one visit, its settings in each record: shape (settings, records, width)."""
        rows = own_sample(model, self.records, rng)
        width = rows.shape[1]
        for column in rng.choice(width, size=min(self.fields, width), replace=False).tolist():
            settings = settings_of(model, column, self.points)
            table = np.repeat(rows[None], len(settings), axis=0)
            table[:, :, column] = settings[:, None]
            yield table


@dataclass(frozen=True, slots=True)
class PartialDependence(_FieldStudy):
    """Set one field of every record to one value, then to the next, and average the answers.

    Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", Annals of Statistics 29(5), 2001.
    """

    family: ClassVar[str] = "benign_pdp"

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        while True:
            yield np.vstack([table.reshape(-1, table.shape[2]) for table in self.tables(model, rng)])


@dataclass(frozen=True, slots=True)
class IndividualExpectation(_FieldStudy):
    """Move one field of one record over its whole range, then of the next record: a curve each.

    Goldstein et al., "Peeking Inside the Black Box: Visualizing Statistical Learning with Plots of Individual
    Conditional Expectation", Journal of Computational and Graphical Statistics 24(1), 2015.
    """

    family: ClassVar[str] = "benign_ice"

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        while True:
            tables = self.tables(model, rng)
            yield np.vstack([table.transpose(1, 0, 2).reshape(-1, table.shape[2]) for table in tables])

"""Which fields does the model need? Shuffle one after the other and see how much worse it gets."""

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
class PermutationImportance:
    """Send a table as it is, and then, for each column, the table with that column shuffled.

    Breiman, "Random Forests", Machine Learning 45(1), 2001; Fisher, Rudin and Dominici, "All Models are Wrong, but Many
    are Useful", Journal of Machine Learning Research 20, 2019.
    """

    family: ClassVar[str] = "benign_permutation"

    records: int
    """Rows of the table, 2 or more."""
    repeats: int = 1
    """Shuffles of each column."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        repeats = int(rng.integers(1, 6))
        return cls(max(2, shared_out(rng, len(model.form.low) * repeats, low=400)), repeats)

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        table = own_sample(model, self.records, rng)
        while True:
            tables = [table]
            for column in range(table.shape[1]):
                for _ in range(self.repeats):
                    shuffled = table.copy()
                    shuffled[:, column] = rng.permutation(table[:, column])
                    tables.append(shuffled)
            yield np.vstack(tables)

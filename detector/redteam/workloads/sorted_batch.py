"""A batch in the order of its own risk score: a class's probability climbs, and nobody climbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.routine import log_uniform, measured_anew, own_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel


@dataclass(frozen=True, slots=True)
class SortedBatch:
    """Score a table every night in the order of the last score: the least or the most likely first.

    The order is that of the answers of the night before; meanwhile a part of the table has changed a little.
    """

    family: ClassVar[str] = "benign_sorted_batch"

    size: int
    """Records in the table."""
    rising: bool = True
    """The least likely first; else the most likely."""
    changed: float = 0.3
    """Share of the table, 0 to 1, that is measured anew before it is scored again."""
    replaced: float = 0.1
    """Share, 0 to 1, that gives way to other records."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        del model
        return cls(
            size=round(log_uniform(rng, 150, 2_500)),
            rising=bool(rng.random() < 0.7),
            changed=float(rng.choice([0.0, 0.1, 0.3, 1.0])),
            replaced=float(rng.uniform(0.0, 0.3)),
        )

    def visits(self, model: TargetModel, rng: np.random.Generator) -> Iterator[FloatArray]:
        """See Study."""
        risk = int(rng.integers(len(model.classes)))
        table = own_sample(model, self.size, rng)
        while True:
            score = model.predict(model.form.clean(table))[:, risk]
            order = np.argsort(score if self.rising else -score, kind="stable")
            table = table[order]
            moved = rng.random(self.size) < self.changed
            sent = table.copy()
            sent[moved] = measured_anew(model, table[moved], rng)
            yield sent
            gone = rng.random(self.size) < self.replaced
            table = sent
            table[gone] = own_sample(model, int(gone.sum()), rng)

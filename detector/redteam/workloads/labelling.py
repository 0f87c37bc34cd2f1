"""An active learner that has records pre-labelled: it asks next where the last answers were least sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.workloads.routine import log_uniform, own_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from detector.redteam.arrays import FloatArray
    from detector.redteam.models import TargetModel
    from detector.redteam.recorder import Answer


@dataclass(frozen=True, slots=True)
class ActiveLabeller:
    """Send a random batch of its pool, then batches of the records nearest to those with the smallest margins.

    Settles, "Active Learning Literature Survey", University of Wisconsin-Madison, 2009: margin sampling in a pool.
    """

    family: ClassVar[str] = "benign_active_labeller"

    pool: int
    """Unlabelled records, 2 or more."""
    batch: int = 40
    """Records sent in one round."""
    rounds: int = 10
    """Rounds in one visit."""

    @classmethod
    def draw(cls, model: TargetModel, rng: np.random.Generator) -> Self:
        """Invent one client's settings."""
        del model
        total = log_uniform(rng, 150, 1_500)
        batch = max(2, round(log_uniform(rng, 5, 100)))
        return cls(round(total * float(rng.uniform(1.2, 3.0))), batch, max(2, round(total / batch)))

    @property
    def budget(self) -> int:
        """See Dialogue."""
        return self.batch * self.rounds

    def visit(self, ask: Callable[[FloatArray], Answer], model: TargetModel, rng: np.random.Generator) -> None:
        """See Dialogue."""
        pool = own_sample(model, self.pool, rng)
        places = model.position(pool)
        open_ = np.ones(self.pool, dtype=np.bool_)
        batch = rng.choice(self.pool, size=min(self.batch, self.pool), replace=False)
        for _ in range(self.rounds):
            margins = _margins(ask(pool[batch]))
            open_[batch] = False
            left = np.flatnonzero(open_)
            if not len(left):
                return
            unsure = batch[np.argsort(margins, kind="stable")[: max(1, len(batch) // 4)]]
            gaps = _squared_distances(places[left], places[unsure]).min(axis=1)
            batch = left[np.argsort(gaps, kind="stable")[: self.batch]]


def _margins(answer: Answer) -> FloatArray:
    """Return how far the likeliest class leads, shape (n,)."""
    ranked = np.sort(np.nan_to_num(answer.probabilities), axis=1)
    return np.asarray(ranked[:, -1] - ranked[:, -2])


def _squared_distances(places: FloatArray, others: FloatArray) -> FloatArray:
    """Return the squared distances between all pairs, shape (n, m), without an array of all differences."""
    squares = (places**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None]
    return np.asarray(squares - 2 * places @ others.T)

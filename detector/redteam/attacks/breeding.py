"""What genetic searches share: how parents become children."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray


def crossed(parents: FloatArray, children: int, rng: np.random.Generator) -> FloatArray:
    """Return `children` that take each column from one of two `parents`, best first, shape (children, width)."""
    # Two draws each, of which the better one, the lower rank, becomes a parent.
    first, second = rng.integers(len(parents), size=(2, 2, children)).min(axis=1)
    return np.asarray(np.where(rng.random((children, parents.shape[1])) < 0.5, parents[first], parents[second]))

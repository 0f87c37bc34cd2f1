"""Walking down trees, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def leaves(values, roots, feature, cut, left, right, null_left):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the leaf that each row of `values` (n, F) reaches in each tree: int32 (n, T); nodes as in `Forest`."""
    reached = np.empty((len(values), len(roots)), np.int32)
    for tree in range(len(roots)):
        for row in range(len(values)):
            at = roots[tree]
            while feature[at] >= 0:
                seen = values[row, feature[at]]
                goes_left = null_left[at] if np.isnan(seen) else seen <= cut[at]
                at = left[at] if goes_left else right[at]
            reached[row, tree] = at
    return reached

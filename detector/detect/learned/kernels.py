"""Walking down trees, compiled. Nodes are as in `Forest`."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, forceinline=True)
def _below(seen, at, cut, left, right, null_left):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the node after `at` for the value `seen` of the feature that it looks at."""
    goes_left = null_left[at] if np.isnan(seen) else seen <= cut[at]
    return left[at] if goes_left else right[at]


@njit(cache=True, nogil=True)
def leaves(values, roots, feature, cut, left, right, null_left):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the leaf that each row of `values` (n, F) reaches in each tree: int32 (n, T)."""
    reached = np.empty((len(values), len(roots)), np.int32)
    for tree in range(len(roots)):
        for row in range(len(values)):
            at = roots[tree]
            while feature[at] >= 0:
                at = _below(values[row, feature[at]], at, cut, left, right, null_left)
            reached[row, tree] = at
    return reached


@njit(cache=True, nogil=True)
def path_credit(values, worth, roots, feature, cut, left, right, null_left):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return by how much each feature's nodes changed `worth` (N,) on the paths of each row: float64 (n, F)."""
    credit = np.zeros(values.shape)
    for tree in range(len(roots)):
        for row in range(len(values)):
            at = roots[tree]
            while feature[at] >= 0:
                after = _below(values[row, feature[at]], at, cut, left, right, null_left)
                credit[row, feature[at]] += worth[after] - worth[at]
                at = after
    return credit

"""Walking down trees, compiled.

A node's four numbers lie together, one line of the processor's cache instead of four.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# `asks`: twice the column that the node looks at, and one more if a null goes left; -1 in a leaf.
NODE = np.dtype([("asks", np.int32), ("cut", np.float32), ("left", np.int32), ("right", np.int32)])


@njit(nogil=True, forceinline=True)
def _below(seen, node):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return what comes after `node` for the value `seen` of the column that it looks at."""
    goes_left = (seen <= node.cut) | (np.isnan(seen) & (node.asks & 1 == 1))
    return node.left if goes_left else node.right


@njit(cache=True, nogil=True)
def leaves(values, roots, nodes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the leaf that each row of `values` (n, F) reaches in each tree: int32 (n, T)."""
    reached = np.empty((len(values), len(roots)), np.int32)
    for tree in range(len(roots)):
        for row in range(len(values)):
            at = roots[tree]
            while nodes[at].asks >= 0:
                at = _below(values[row, nodes[at].asks >> 1], nodes[at])
            reached[row, tree] = at
    return reached


@njit(cache=True, nogil=True)
def path_credit(values, worth, roots, nodes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return by how much each feature's nodes changed `worth` (N,) on the paths of each row: float64 (n, F)."""
    credit = np.zeros(values.shape)
    for tree in range(len(roots)):
        for row in range(len(values)):
            at = roots[tree]
            while nodes[at].asks >= 0:
                column = nodes[at].asks >> 1
                after = _below(values[row, column], nodes[at])
                credit[row, column] += worth[after] - worth[at]
                at = after
    return credit

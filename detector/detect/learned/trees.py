"""Decision trees as plain arrays, and the walk down them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from detector.detect.learned.kernels import NODE, leaves, path_credit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AT_A_TIME = 500


@dataclass(frozen=True)
class Trees:
    """Decision trees, one after the other.

    Attributes:
        roots: int32 (T,), first node of each tree.
        feature: int16 (N,), column that a node looks at; -1 in a leaf.
        cut: float32 (N,), goes left where the value is at most this.
        left, right: int32 (N,), next nodes.
        null_left: bool (N,), where a null goes.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    cut: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    null_left: NDArray[np.bool_]

    def leaves(self, rows: NDArray[np.floating]) -> NDArray[np.int32]:
        """Return the leaf that each of rows (n, F) reaches in each tree: (n, T)."""
        values = np.ascontiguousarray(rows, dtype=np.float32)
        parts = np.array_split(values, max(1, len(values) // _AT_A_TIME))
        with ThreadPoolExecutor() as pool:
            return np.concatenate(list(pool.map(lambda part: leaves(part, self.roots, self._nodes), parts)))

    def credit(self, rows: NDArray[np.floating], worth: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return by how much each column's nodes changed `worth` (N,) along the paths of rows (n, F): (n, F).

        What a tree says is the worth of its root and the sum of the credits (Saabas 2014).
        """
        return np.asarray(path_credit(np.ascontiguousarray(rows, dtype=np.float32), worth, self.roots, self._nodes))

    @cached_property
    def _nodes(self) -> NDArray[np.void]:
        nodes = np.empty(len(self.feature), NODE)
        nodes["asks"] = np.where(self.feature < 0, -1, 2 * self.feature.astype(np.int32) + self.null_left)
        nodes["cut"], nodes["left"], nodes["right"] = self.cut, self.left, self.right
        return nodes

"""A forest of decision trees as plain arrays: read without running anything, evaluated without a library's objects."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from detector.detect.learned.kernels import NODE, leaves, path_credit
from detector.errors import RuleError
from detector.features.npz import read_npz

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FILE = "forest.npz"
_ARRAYS = ("roots", "feature", "cut", "left", "right", "null_left", "shares", "told")
_AT_A_TIME = 500


@dataclass(frozen=True)
class Forest:
    """Decision trees whose leaves hold the shares of classes.

    Attributes:
        features: names of the columns that it reads, in order.
        classes: names of what a window can resemble: techniques, and benign workloads as `benign_NAME`.
        roots: int32 (T,), first node of each tree.
        feature: int16 (N,), column that a node looks at; -1 in a leaf.
        cut: float32 (N,), goes left where the value is at most this.
        left, right: int32 (N,), next nodes.
        null_left: bool (N,), where a null goes.
        counts: uint8 (N, C), of the training windows that pass the node, in 255 steps.
    """

    features: tuple[str, ...]
    classes: tuple[str, ...]
    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    cut: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    null_left: NDArray[np.bool_]
    counts: NDArray[np.uint8]

    def resembles(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return what rows (n, F) resemble: mean shares of the classes over the trees, (n, C), summing to 1."""
        values = np.ascontiguousarray(rows, dtype=np.float32)
        with ThreadPoolExecutor() as pool:
            parts = list(pool.map(self._mean_shares, np.array_split(values, max(1, len(values) // _AT_A_TIME))))
        return np.concatenate(parts)

    def _mean_shares(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        at = leaves(values, self.roots, self._nodes)
        total = np.zeros((len(values), len(self.classes)))
        for tree in range(at.shape[1]):
            total += self.shares(at[:, tree])
        return total / max(len(self.roots), 1)

    def shares(self, nodes: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the shares of the classes among the training windows that pass each of `nodes` (n,): (n, C)."""
        counts = self.counts[nodes].astype(np.float32)
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))

    def reasons(self, rows: NDArray[np.floating], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return how much each feature moved rows (n, F) towards the wanted classes (C,): float64 (n, F).

        Along each tree's path the change of the wanted share is credited to the feature looked at (Saabas 2014); the
        sum over features and the share at the roots is what `resembles` says.
        """
        towards = self.shares(np.arange(len(self.counts), dtype=np.int32)) @ wanted.astype(np.float32)
        credit = path_credit(np.ascontiguousarray(rows, dtype=np.float32), towards, self.roots, self._nodes)
        return np.asarray(credit / max(len(self.roots), 1))

    @cached_property
    def _nodes(self) -> NDArray[np.void]:
        nodes = np.empty(len(self.feature), NODE)
        nodes["asks"] = np.where(self.feature < 0, -1, 2 * self.feature.astype(np.int32) + self.null_left)
        nodes["cut"], nodes["left"], nodes["right"] = self.cut, self.left, self.right
        return nodes


@cache
def shipped() -> Forest:
    """Return the forest that comes with the product.

    Raises:
        RuleError: the file is damaged.
    """
    file = resources.files("detector.detect.learned") / _FILE
    try:
        return parsed(file.read_bytes())
    except (OSError, ValueError, KeyError) as error:
        raise RuleError(f"the learned forest cannot be read: {error}", file=Path(str(file))) from error


def parsed(blob: bytes) -> Forest:
    """Read a forest from npz bytes, shares in 255 steps.

    Raises:
        ValueError: the bytes are damaged.
        KeyError: they hold something else.
    """
    roots, feature, cut, left, right, null_left, counts, told = read_npz(blob, *_ARRAYS)
    names = json.loads(told.tobytes())
    return Forest(
        tuple(names["features"]), tuple(names["classes"]), roots, feature, cut, left, right, null_left, counts
    )

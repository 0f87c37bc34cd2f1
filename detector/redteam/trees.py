"""Forests of decision trees: scikit-learn grows them, numpy walks all trees of a forest at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Fitted trees, padded to the same number of nodes; a leaf is its own child.

    scikit-learn's answer to a single input takes milliseconds, most of them to start threads.
    """

    labels: IntArray
    """The labels learned, in the order of the probabilities."""
    columns: IntArray
    """Input column that each node asks about, shape (trees, nodes)."""
    bounds: FloatArray
    """Values up to this go left, shape (trees, nodes)."""
    children: IntArray
    """Left and right child of each node, shape (trees, nodes, 2)."""
    shares: FloatArray
    """Shares of the labels among the members in each node, shape (trees, nodes, labels)."""
    depth: int
    """Steps from root to leaf in the deepest tree."""

    def predict_proba(self, rows: FloatArray) -> FloatArray:
        """Return the mean of the trees' shares for each of `rows`, shape (n, d), as shape (n, labels)."""
        single = rows.astype(np.float32)  # the precision at which the bounds were chosen
        each, trees = np.arange(len(rows))[:, None], np.arange(len(self.columns))
        at = np.zeros((len(rows), len(trees)), dtype=np.int64)
        for _ in range(self.depth):
            right = single[each, self.columns[trees, at]] > self.bounds[trees, at]
            at = self.children[trees, at, right.astype(np.int64)]
        return np.asarray(self.shares[trees, at].mean(axis=1))


def grown(rows: FloatArray, labels: IntArray, *, trees: int, leaf: int, seed: int) -> Forest:
    """Grow a random forest.

    Args:
        rows: training inputs, shape (n, d).
        labels: shape (n,), at least two different ones.
        trees: how many, 1 or more; with pure leaves there are `trees` + 1 different answers.
        leaf: fewest members in a leaf, 1 or more.
        seed: 0 to 2**32 - 1.
    """
    from sklearn.ensemble import RandomForestClassifier

    learner = RandomForestClassifier(trees, min_samples_leaf=leaf, random_state=seed, n_jobs=1).fit(rows, labels)
    grown_trees = [each.tree_ for each in learner.estimators_]
    nodes = max(tree.node_count for tree in grown_trees)
    columns = np.zeros((trees, nodes), dtype=np.int64)
    bounds = np.zeros((trees, nodes))
    children = np.zeros((trees, nodes, 2), dtype=np.int64)
    shares = np.zeros((trees, nodes, len(learner.classes_)))
    for number, tree in enumerate(grown_trees):
        count, leaves = tree.node_count, tree.children_left < 0
        columns[number, :count] = np.where(leaves, 0, tree.feature)
        bounds[number, :count] = tree.threshold
        own = np.arange(count)[leaves, None]
        children[number, :count] = np.column_stack([tree.children_left, tree.children_right])
        children[number, :count][leaves] = own
        counts = tree.value[:, 0, :]
        shares[number, :count] = counts / counts.sum(axis=1, keepdims=True)
    depth = max(tree.max_depth for tree in grown_trees)
    return Forest(learner.classes_.astype(np.int64), columns, bounds, children, shares, depth)

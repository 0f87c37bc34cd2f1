"""What the laboratory taught: a forest that tells kinds of clients apart, and boosted trees that tell attacks.

Both are plain arrays: read without running anything, evaluated without a library's objects. On models that neither has
seen they err in different places, and their mean finds more than either (docs/detection.md has the figures).
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from detector.baseline.model import tail
from detector.detect.learned.trees import Trees
from detector.detect.learned.words import BENIGN, ORDINARY, technique_of
from detector.errors import RuleError
from detector.features.npz import read_npz

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FILE = "forest.npz"
TREE_ARRAYS = ("roots", "feature", "cut", "left", "right", "null_left")
# What passes each node; and of each leaf how many classes it holds, which, and in what shares.
LEAF_ARRAYS = ("passing", "held", "which", "share")
BOOSTED = "boosted_"
UNSEEN = "unseen"


@dataclass(frozen=True)
class Forest:
    """Decision trees whose leaves hold the shares of classes.

    Attributes:
        classes: names of what a window can resemble: techniques, and benign workloads as `benign_NAME`.
        trees: over the columns that `Learned` says.
        counts: uint8 (L, C), of the training windows in each leaf, in the order of the nodes, in 255 steps.
        passing: uint8 (N,), the share of attacks among the training windows that pass each node, in 255 steps.
    """

    classes: tuple[str, ...]
    trees: Trees
    counts: NDArray[np.uint8]
    passing: NDArray[np.uint8]

    @cached_property
    def attacks(self) -> NDArray[np.bool_]:
        """Which classes are attacks."""
        return np.array([technique_of(name) is not None for name in self.classes])

    @cached_property
    def workloads(self) -> NDArray[np.int64]:
        """Positions of the benign workloads but ordinary customers."""
        return np.array([i for i, n in enumerate(self.classes) if n.startswith(BENIGN) and n != ORDINARY])

    def resembles(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return what rows (n, F) resemble: mean shares of the classes over the trees, (n, C), summing to 1."""
        at = self.trees.leaves(rows)
        total = np.zeros((len(rows), len(self.classes)))
        for tree in range(at.shape[1]):
            counts = self.counts[self._leaf[at[:, tree]]].astype(np.float32)
            total += counts / counts.sum(axis=1, keepdims=True)
        return np.asarray(total / max(at.shape[1], 1))

    def reasons(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return by how much each feature moved rows (n, F) towards attacks: float64 (n, F)."""
        return self.trees.credit(rows, self.attack_shares) / max(len(self.trees.roots), 1)

    @cached_property
    def attack_shares(self) -> NDArray[np.float32]:
        """Share of attacks among the training windows that pass each node, (N,)."""
        shares = (self.passing / 255.0).astype(np.float32)
        attack = self.counts[:, self.attacks].sum(axis=1, dtype=np.int32)
        shares[self.trees.feature < 0] = attack / self.counts.sum(axis=1, dtype=np.int32)
        return shares

    @cached_property
    def _leaf(self) -> NDArray[np.int32]:
        """Which leaf each node is, (N,); of others the number means nothing."""
        return np.cumsum(self.trees.feature < 0, dtype=np.int32) - 1


@dataclass(frozen=True)
class Boosted:
    """Boosted trees that tell attacks from benign work.

    Attributes:
        trees: over the columns that `Learned` says.
        worth: float32 (N,), log-odds that a node adds.
        start: log-odds before the first tree.
    """

    trees: Trees
    worth: NDArray[np.float32]
    start: float

    def attack(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of an attack, (n,), for rows (n, F)."""
        added = self.worth[self.trees.leaves(rows)].astype(np.float64).sum(axis=1)
        return np.asarray(1.0 / (1.0 + np.exp(-(self.start + added))))

    def reasons(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return by how much each feature moved the probability of an attack: float64 (n, F).

        Credit is in log-odds; it is scaled so that its sum is the way from the first guess to the probability.
        """
        credit = self.trees.credit(rows, self.worth)
        way = self.attack(rows) - 1.0 / (1.0 + np.exp(-self.start))
        total = credit.sum(axis=1)
        scale = np.divide(way, total, out=np.zeros_like(way), where=np.abs(total) > 1e-9)
        return np.asarray(credit * scale[:, None])


@dataclass(frozen=True)
class Learned:
    """All that was learned.

    Attributes:
        features: names of the F measurements that it reads, in order. Its trees see these and then, in the same order,
            how far each is from what is usual for the model: rows are (n, 2F), as `usual.beside` returns them.
        forest: what a window resembles.
        boosted: whether it is an attack.
        unseen: float64 (K,), ascending: how much benign workloads of models that trees never saw were like attacks,
            every workload of every model alike.
    """

    features: tuple[str, ...]
    forest: Forest
    boosted: Boosted
    unseen: NDArray[np.float64]

    def attack(self, shares: NDArray[np.float64], boosted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much windows are like attacks, (n,) from 0 to 1, given what each of the two says of them."""
        # Row by row in memory, or the last digit of a sum would depend on how many rows stand beside it.
        attacks = np.ascontiguousarray(shares[:, self.forest.attacks])
        return np.asarray((attacks.sum(axis=1) + boosted) / 2.0)

    def p(self, attack: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return with what probability a benign workload of a model never seen is as much like attacks, (n,)."""
        return np.asarray(10.0 ** -tail(attack, self.unseen, "high"))

    def reasons(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return by how much each feature, or its deviation, moved rows (n, 2F) towards attacks: float64 (n, F)."""
        credit = (self.forest.reasons(rows) + self.boosted.reasons(rows)) / 2.0
        return credit[:, : len(self.features)] + credit[:, len(self.features) :]


@cache
def shipped() -> Learned:
    """Return what comes with the product.

    Raises:
        RuleError: the file is damaged.
    """
    file = resources.files("detector.detect.learned") / _FILE
    try:
        return parsed(file.read_bytes())
    except (OSError, ValueError, KeyError) as error:
        raise RuleError(f"the learned forest cannot be read: {error}", file=Path(str(file))) from error


def rehearse() -> None:
    """Load what comes with the product, and the compiled code that evaluates it, before there is anything to judge.

    A damaged file is left for the place that judges.
    """
    with suppress(RuleError):
        taught = shipped()
        nothing = np.zeros((1, 2 * len(taught.features)))
        taught.forest.resembles(nothing)
        taught.boosted.attack(nothing)


def parsed(blob: bytes) -> Learned:
    """Read npz bytes.

    Raises:
        ValueError: the bytes are damaged.
        KeyError: they hold something else.
    """
    boosted = tuple(BOOSTED + name for name in TREE_ARRAYS)
    *arrays, worth, unseen, passing, held, which, share, told = read_npz(
        blob, *TREE_ARRAYS, *boosted, BOOSTED + "worth", UNSEEN, *LEAF_ARRAYS, "told"
    )
    names, size = json.loads(told.tobytes()), len(TREE_ARRAYS)
    counts = np.zeros((len(held), len(names["classes"])), dtype=np.uint8)
    counts[np.repeat(np.arange(len(held)), held), which] = share
    return Learned(
        tuple(names["features"]),
        Forest(tuple(names["classes"]), Trees(*arrays[:size]), counts, passing),
        Boosted(Trees(*arrays[size:]), worth, float(names["start"])),
        unseen.astype(np.float64),
    )

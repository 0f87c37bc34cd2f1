"""Evasion from labels alone: a walk along the decision boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import BoolArray, FloatArray
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class HopSkipJump:
    """Bring a misclassified input as close as possible to a natural one, reading nothing but labels.

    Chen, Jordan and Wainwright, "HopSkipJumpAttack: A Query-Efficient Decision-Based Attack", IEEE S&P 2020, in its
    untargeted form under the Euclidean distance: bisect to the boundary, estimate its normal there from random
    directions, step along it with a geometric search, and begin again.
    """

    technique: ClassVar[Technique] = "evasion"
    family: ClassVar[str] = "evade_hopskipjump"
    asking: ClassVar[Asking] = Asking()

    budget: int = 1_500
    """Queries; the round under way when they run out is completed."""
    first_batch: int = 40
    """Directions in the first estimate of the normal; later ones grow with the square root of the round."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        walk = _Walk(oracle, knowledge, rng)
        point = walk.to_boundary(walk.somewhere_else())
        rounds = 0
        while oracle.asked < self.budget:
            rounds += 1
            batch = int(self.first_batch * rounds**0.5)
            normal = walk.normal(point, batch)
            step = float(np.linalg.norm(point - walk.original)) / rounds**0.5
            moved = walk.clip(point + step * normal)
            while not walk.crossed(moved[None])[0] and step > walk.tolerance:
                step /= 2
                moved = walk.clip(point + step * normal)
            point = walk.to_boundary(moved) if step > walk.tolerance else point
        return Outcome(best=point, source=walk.original)


class _Walk:
    """The query side of the attack: one natural input, and what lies across the boundary from it."""

    def __init__(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> None:
        self._oracle = oracle
        self._knowledge = knowledge
        self._rng = rng
        self.original: FloatArray = knowledge.pool[rng.integers(len(knowledge.pool))]
        self._label = oracle.ask(self.original[None]).labels[0]
        self.tolerance = len(self.original) ** -1.5

    def clip(self, point: FloatArray) -> FloatArray:
        return np.clip(point, self._knowledge.low, self._knowledge.high)

    def crossed(self, points: FloatArray) -> BoolArray:
        """Whether each of `points`, shape (n, width), has another label than the original."""
        return np.asarray(self._oracle.ask(points).labels != self._label)

    def somewhere_else(self) -> FloatArray:
        """Find any input across the boundary: noise first, as published, then the attacker's other records."""
        span = self._knowledge.high - self._knowledge.low
        for _ in range(20):
            noise = self._knowledge.low + span * self._rng.random(len(span))
            if self.crossed(noise[None])[0]:
                return noise
        others = self._knowledge.pool
        return next((other for other in others if self.crossed(other[None])[0]), others[0])

    def to_boundary(self, point: FloatArray) -> FloatArray:
        """Bisect between the original and `point`, which lies across; the result lies just across."""
        near, far = 0.0, 1.0
        while far - near > self.tolerance:
            middle = (near + far) / 2
            if self.crossed(((1 - middle) * self.original + middle * point)[None])[0]:
                far = middle
            else:
                near = middle
        return (1 - far) * self.original + far * point

    def normal(self, point: FloatArray, batch: int) -> FloatArray:
        """Estimate the boundary's unit normal at `point` from the labels of `batch` neighbours."""
        width = len(point)
        radius = max(float(np.linalg.norm(point - self.original)), 1e-3) * width**0.5 * self.tolerance
        directions = self._rng.standard_normal((batch, width))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        neighbours = self.clip(point + radius * directions)
        reached = (neighbours - point) / radius
        signs = np.where(self.crossed(neighbours), 1.0, -1.0)
        # The mean sign is the baseline that lowers the variance; without any change of label there is none to take off.
        weights = signs - signs.mean() if abs(signs.mean()) < 1 else signs
        pull = np.asarray(weights @ reached)
        return pull / max(float(np.linalg.norm(pull)), 1e-12)

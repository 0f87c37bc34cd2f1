"""Inversion from labels alone: points on growing spheres in a latent space."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.attacks.latent import LatentSpace
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import BoolArray, FloatArray
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class SphereSampling:
    """Move away from the border of a class until ever larger spheres lie within it.

    Kahla, Chen, Just and Jia, "Label-Only Model Inversion Attacks via Boundary Repulsion" (BREP-MI), CVPR 2022: of
    points on a sphere around the current latent those outside the class push it away; where none is outside, the
    sphere grows, and the latent is the best so far. Once the sphere is as large as that of natural latents, the attack
    begins anew elsewhere in the class. The generator here is a principal component analysis of the attacker's records.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_label_sphere"
    asking: ClassVar[Asking] = Asking()

    target: int
    """Class number whose inside is sought."""
    budget: int = 3_000
    """Queries, at most; the search for a start included."""
    points: int = 32
    """Points on a sphere."""
    radius: float = 0.5
    """First radius, in standard deviations of a latent."""
    growth: float = 1.3
    """Factor by which the radius grows."""
    size: int = 20
    """Components of the generator."""
    bound: float = 3.0
    """Largest magnitude of a latent's coordinate, in standard deviations: beyond, nothing looks natural."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. `best` is None if no latent of the class was found."""
        search = _Search(self, oracle, LatentSpace.learned(knowledge, self.size), rng)
        with suppress(_SpentError):
            while True:
                self._climb(search, search.start())
        best = None if search.best is None else search.space.decode(search.best[None])[0]
        return Outcome(knowledge.classes[self.target], best)

    def _climb(self, search: _Search, point: FloatArray) -> None:
        """Move `point`, a latent of the class, inwards until its sphere reaches farther than natural latents do."""
        radius = self.radius
        search.keep(point, 0.0)
        while radius <= np.sqrt(search.space.size):
            directions = search.directions()
            outside = ~search.inside(point + radius * directions)
            if not outside.any():
                search.keep(point, radius)
                radius *= self.growth
                continue
            away = directions[outside].mean(axis=0)
            moved = point - min(radius / 3, 3.0) * away / max(float(np.linalg.norm(away)), 1e-12)
            # The step must not leave the class: one more query tells.
            point = moved if search.inside(moved[None])[0] else point
            search.keep(point, 0.0)


class _SpentError(Exception):
    """The queries have run out."""


class _Search:
    """The query side of the attack: latents go in, whether they belong to the class comes out.

    Attributes:
        space: the attacker's generator.
        best: the latent with the largest sphere inside the class so far, the latest of equals; None before the first.
    """

    def __init__(self, attack: SphereSampling, oracle: Oracle, space: LatentSpace, rng: np.random.Generator) -> None:
        self._attack = attack
        self._oracle = oracle
        self._rng = rng
        self._left = attack.budget
        self._radius = 0.0
        self.space = space
        self.best: FloatArray | None = None

    def start(self) -> FloatArray:
        """Return a random latent of the class, shape (size,)."""
        while True:
            drawn = self.space.draw(self._attack.points, self._rng)
            within = self.inside(drawn)
            if within.any():
                first: FloatArray = drawn[within.argmax()]
                return first

    def inside(self, latents: FloatArray) -> BoolArray:
        """Ask whether the inputs of `latents`, shape (n, size), have the label of the class, shape (n,)."""
        if len(latents) > self._left:
            raise _SpentError
        self._left -= len(latents)
        bounded = np.clip(latents, -self._attack.bound, self._attack.bound)
        return np.asarray(self._oracle.ask(self.space.decode(bounded)).labels == self._attack.target)

    def directions(self) -> FloatArray:
        """Return random directions for one sphere, each of length one, shape (points, size)."""
        drawn = self._rng.standard_normal((self._attack.points, self.space.size))
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))

    def keep(self, point: FloatArray, radius: float) -> None:
        """Remember `point`, shape (size,), whose sphere of `radius` lies inside the class, if none has a larger one."""
        if radius >= self._radius:
            self.best, self._radius = np.clip(point, -self._attack.bound, self._attack.bound), radius

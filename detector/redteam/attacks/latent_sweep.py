"""Inversion in a latent space: a bulk sweep, an offline search on a copy, and a short climb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np

from detector.errors import SimulationError
from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.attacks.latent import LatentSpace
from detector.redteam.networks import fitted
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.oracle import Oracle

    _Query: TypeAlias = Callable[[FloatArray], FloatArray]

# Success rate at which the mutation strength stays, and how fast the estimate of that rate forgets.
_WANTED = 2 / 11
_MEMORY = 1 / 12
_FLOOR = 1e-22
_IMAGINED = 4_000


@dataclass(frozen=True, slots=True)
class LatentSweep:
    """Query many random latents once, then climb a little from where a copy trained on the answers points.

    Li et al., "From Head to Tail: Efficient Black-box Model Inversion Attack via Long-tailed
    Learning" (SMILE), CVPR 2025: a shared sweep trains a surrogate, the surrogate is searched offline, and a
    gradient-free optimiser ends the work on the real model. Here the generator is a principal component analysis of
    the attacker's records. The optimiser is CMA-ES (Hansen, "The CMA Evolution Strategy: A Tutorial", 2016) or a
    (1+1) evolution strategy.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_latent_sweep"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    sweep: int = 1_500
    """Random latents queried first."""
    climb: int = 500
    """Queries of the climb."""
    size: int = 20
    """Components of the generator."""
    climber: Literal["cma", "oneplusone"] = "cma"
    step: float = 0.3
    """First mutation strength of the climb, in standard deviations of a latent."""
    offline: bool = True
    """Whether a surrogate chooses where the climb starts; otherwise the best latent of the sweep does."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack."""
        space = LatentSpace.learned(knowledge, self.size)
        latents = space.draw(self.sweep, rng)
        swept = oracle.ask(space.decode(latents))
        best = _Best()
        best.offer(latents, np.nan_to_num(swept.probabilities[:, self.target]))

        def shown(asked: FloatArray) -> FloatArray:
            confidence = np.nan_to_num(oracle.ask(space.decode(asked)).probabilities[:, self.target])
            best.offer(asked, confidence)
            return confidence

        start = best.latent
        if self.offline:
            start = self._imagined(space, latents, swept.labels, rng, start)
        if self.climber == "cma":
            self._evolve(start, shown, rng)
        else:
            self._mutate(start, shown, rng)
        return Outcome(knowledge.classes[self.target], space.decode(best.latent[None])[0], best.confidence)

    def _imagined(
        self, space: LatentSpace, latents: FloatArray, labels: IntArray, rng: np.random.Generator, otherwise: FloatArray
    ) -> FloatArray:
        """Return the latent, of many that were never queried, that a copy of the model takes for the target."""
        known = np.unique(labels)
        if self.target not in known or len(known) < 2:
            return otherwise
        copy = fitted(latents, labels, hidden=32, passes=60, decay=0.1, seed=int(rng.integers(2**32)))
        fresh = space.draw(_IMAGINED, rng)
        column = int(np.flatnonzero(copy.labels == self.target)[0])
        chosen: FloatArray = fresh[copy.predict_proba(fresh)[:, column].argmax()]
        return chosen

    def _evolve(self, start: FloatArray, shown: _Query, rng: np.random.Generator) -> None:
        """Climb by CMA-ES; whole generations, as many as the budget holds."""
        strategy = _strategy(start, self.step, rng)
        for _ in range(self.climb // strategy.popsize):
            generation = strategy.ask()
            confidence = shown(np.array(generation))
            strategy.tell(generation, (-np.log(np.maximum(confidence, _FLOOR))).tolist())

    def _mutate(self, start: FloatArray, shown: _Query, rng: np.random.Generator) -> None:
        """Climb by mutation and selection, with the smoothed one-fifth rule."""
        point, reached = start, float(shown(start[None])[0])
        step, successes = self.step, _WANTED
        for _ in range(self.climb - 1):
            mutant = point + step * rng.standard_normal(len(point))
            confidence = float(shown(mutant[None])[0])
            better = confidence >= reached
            if better:
                point, reached = mutant, confidence
            successes += _MEMORY * (better - successes)
            step *= float(np.exp((successes - _WANTED) / (1 - _WANTED) / (1 + len(point) / 2)))


def _strategy(start: FloatArray, step: float, rng: np.random.Generator) -> Any:  # noqa: ANN401 - cma has no types
    try:
        import cma
    except ImportError as error:
        raise SimulationError(
            f"the attack {LatentSweep.family} needs the package cma",
            expected="pip install 'inversion-detector[redteam]'",
        ) from error
    # Not a number for a seed: the library would seed the generator that all of numpy shares.
    options = {"randn": lambda *shape: rng.standard_normal(shape), "seed": np.nan, "verbose": -9, "verb_log": 0}
    return cma.CMAEvolutionStrategy(start, step, options)


class _Best:
    """The best latent so far.

    Attributes:
        latent: shape (size,).
        confidence: what the model said of it; -1 before the first answer.
    """

    def __init__(self) -> None:
        self.latent: FloatArray = np.empty(0)
        self.confidence = -1.0

    def offer(self, latents: FloatArray, confidence: FloatArray) -> None:
        """Consider `latents`, shape (n, size), with their `confidence`, shape (n,)."""
        top = int(confidence.argmax())
        if confidence[top] > self.confidence:
            self.latent, self.confidence = latents[top], float(confidence[top])

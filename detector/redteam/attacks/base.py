"""What every attack is given and gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np

    from detector.redteam.arrays import FloatArray, IntArray
    from detector.redteam.models import Sample
    from detector.redteam.oracle import Oracle
    from detector.redteam.traffic import Asking

Technique = Literal["inversion", "membership", "attribute", "extraction", "evasion"]


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """What an outsider knows before the first query: the documentation, and data of its own."""

    classes: tuple[str, ...]
    """Class names, in the order of the probabilities."""
    low: FloatArray
    """Smallest sensible value of each input column, shape (width,)."""
    high: FloatArray
    """Largest sensible value of each input column, shape (width,)."""
    levels: tuple[int, ...]
    """Number of levels of each column; 0 where it is a number."""
    pool: FloatArray
    """Natural records that the attacker owns, shape (n, width)."""
    exam: FloatArray
    """Further records, kept aside to try a stolen copy on, shape (m, width)."""
    candidates: Sample
    """People whom the attacker is after, with their classes; what it wants to learn of them is NaN."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What an attacker ended up with."""

    target: str | None = None
    """The class pursued."""
    best: FloatArray | None = None
    """The best input it queried, shape (width,)."""
    confidence: float | None = None
    """The probability that it was shown for `best`."""
    source: FloatArray | None = None
    """The natural input that it started from, shape (width,)."""
    claims: IntArray | FloatArray | None = None
    """What it believes: a membership score or a value for each candidate, or a label for each exam record."""


class Attack(Protocol):
    """A published algorithm with its settings; a frozen dataclass."""

    @property
    def technique(self) -> Technique:
        """What the attack is after."""
        ...

    @property
    def family(self) -> str:
        """The algorithm, as labels.csv names it."""
        ...

    @property
    def asking(self) -> Asking:
        """How much of each answer the algorithm needs."""
        ...

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """Carry out the attack and return what came of it."""
        ...

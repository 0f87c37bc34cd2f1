"""Inversion of a text model: one word after the other is exchanged for a better one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from detector.redteam.attacks.base import Knowledge, Outcome, Technique
from detector.redteam.traffic import Asking

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.oracle import Oracle


@dataclass(frozen=True, slots=True)
class TokenSubstitution:
    """Climb one class's confidence by greedy substitution of words.

    What is sought is the text that the model holds to be most typical of a class, as in Zhang, Hidano and Koushanfar,
    "Text Revealer: Private Text Reconstruction via Model Inversion Attacks against Transformers", 2022. Without
    gradients it is searched word by word: at one position after the other, in random order, a few words that people
    use are tried, and the best stays if it beats the present one.
    """

    technique: ClassVar[Technique] = "inversion"
    family: ClassVar[str] = "inv_token_substitution"
    asking: ClassVar[Asking] = Asking(probabilities=True)

    target: int
    """Class number to climb."""
    budget: int = 1_500
    """Queries, at most."""
    tried: int = 12
    """Words tried at a position before the next one has its turn."""
    start: Literal["natural", "words"] = "natural"
    """Begin with a text of the attacker's own or with random words."""
    length: int = 16
    """Words in the text if it begins with random ones; no more than the form holds."""

    def run(self, oracle: Oracle, knowledge: Knowledge, rng: np.random.Generator) -> Outcome:
        """See Attack. Category columns hold words; 0 is none."""
        used = knowledge.pool[knowledge.pool > 0]
        words, counts = np.unique(used, return_counts=True)
        # Rarer words have more to say of a class: the power that word embeddings made customary.
        chances = counts**0.75 / np.sum(counts**0.75)
        text = self._first(knowledge, used, rng)
        reached = float(np.nan_to_num(oracle.ask(text[None]).probabilities[0, self.target]))
        positions = np.flatnonzero(text > 0)
        left, turns = self.budget - 1, rng.permutation(positions)
        while left >= self.tried and len(positions):
            at, turns = turns[0], turns[1:]
            turns = turns if len(turns) else rng.permutation(positions)
            attempts = np.repeat(text[None], self.tried, axis=0)
            attempts[:, at] = rng.choice(words, size=self.tried, replace=False, p=chances)
            shown = np.nan_to_num(oracle.ask(attempts).probabilities[:, self.target])
            left -= self.tried
            if shown.max() > reached:
                text, reached = attempts[shown.argmax()], float(shown.max())
        return Outcome(knowledge.classes[self.target], text, reached)

    def _first(self, knowledge: Knowledge, used: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return the text that the search starts from, shape (width,)."""
        if self.start == "natural":
            return np.array(knowledge.pool[rng.integers(len(knowledge.pool))])
        text = np.zeros(knowledge.pool.shape[1])
        text[: self.length] = rng.choice(used, size=min(self.length, len(text)))
        return text

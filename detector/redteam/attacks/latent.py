"""The attackers' own generator: principal components of the records that they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray
    from detector.redteam.attacks.base import Knowledge


@dataclass(frozen=True, slots=True, eq=False)
class LatentSpace:
    """A linear generative model: standard normal latents to inputs that look like the records it was learned from.

    Numbers count as shares of their range, categories as blocks of indicators of which the largest wins.
    """

    low: FloatArray
    """Shape (width,)."""
    span: FloatArray
    """Range of each input column, shape (width,)."""
    levels: tuple[int, ...]
    """Number of levels of each input column; 0 where it is a number."""
    centre: FloatArray
    """Mean of the unfolded records, shape (d,)."""
    axes: FloatArray
    """Principal directions, each as long as one standard deviation along it, shape (size, d)."""
    codes: FloatArray
    """Latents of the records themselves, shape (n, size)."""

    @classmethod
    def learned(cls, knowledge: Knowledge, size: int) -> LatentSpace:
        """Learn up to `size` components from the attacker's pool; no query is asked."""
        span = np.maximum(knowledge.high - knowledge.low, 1e-12)
        unfolded = _unfolded((knowledge.pool - knowledge.low) / span, knowledge.pool, knowledge.levels)
        centre = unfolded.mean(axis=0)
        left, lengths, right = np.linalg.svd(unfolded - centre, full_matrices=False)
        kept = min(size, int((lengths > 1e-9 * lengths[0]).sum()))
        root = np.sqrt(len(unfolded))
        axes = lengths[:kept, None] / root * right[:kept]
        return cls(knowledge.low, span, knowledge.levels, centre, axes, left[:, :kept] * root)

    @property
    def size(self) -> int:
        """Length of a latent."""
        return len(self.axes)

    def draw(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Return random latents, shape (count, size): each between those of two records, with a little noise."""
        first, second = self.codes[rng.integers(len(self.codes), size=(2, count))]
        share = 0.5 * rng.random((count, 1))
        return np.asarray(first + share * (second - first) + 0.2 * rng.standard_normal((count, self.size)))

    def decode(self, latents: FloatArray) -> FloatArray:
        """Return the inputs that `latents`, shape (n, size), stand for, shape (n, width), within their ranges."""
        unfolded = self.centre + latents @ self.axes
        rows = np.empty((len(latents), len(self.levels)))
        start = 0
        for column, size in enumerate(self.levels):
            block = unfolded[:, start : start + max(size, 1)]
            shown = block.argmax(axis=1) if size else self.low[column] + self.span[column] * np.clip(block[:, 0], 0, 1)
            rows[:, column] = shown
            start += max(size, 1)
        return rows


def _unfolded(shares: FloatArray, rows: FloatArray, levels: tuple[int, ...]) -> FloatArray:
    """Return numbers as `shares` of their range and categories as indicators, shape (n, d)."""
    blocks = [
        np.eye(size)[rows[:, column].astype(np.int64)] if size else shares[:, [column]]
        for column, size in enumerate(levels)
    ]
    return np.hstack(blocks)

"""Kleene's three-valued logic over columns: yes, no, and unknown where a value is null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Truth:
    """What a condition says of each row; a row that is neither yes nor no is unknown, and none is both.

    Two masks and not one of three values, because and, or and not are then plain operations on masks.

    Attributes:
        yes: the condition holds.
        no: it certainly does not.
    """

    yes: Mask
    no: Mask

    @property
    def unknown(self) -> Mask:
        """Rows of which the condition can say nothing."""
        return ~(self.yes | self.no)


def conjunction(truths: Sequence[Truth]) -> Truth:
    """Return "and": yes where all are yes, no where any is no."""
    return Truth(
        np.logical_and.reduce([truth.yes for truth in truths]), np.logical_or.reduce([truth.no for truth in truths])
    )


def disjunction(truths: Sequence[Truth]) -> Truth:
    """Return "or": yes where any is yes, no where all are no."""
    return Truth(
        np.logical_or.reduce([truth.yes for truth in truths]), np.logical_and.reduce([truth.no for truth in truths])
    )


def negation(truth: Truth) -> Truth:
    """Return "not": the negation of unknown stays unknown, so a missing value never makes a rule fire."""
    return Truth(truth.no, truth.yes)

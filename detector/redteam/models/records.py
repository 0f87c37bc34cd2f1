"""What models of records share: how named fields reach a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.redteam.forms import Field
from detector.redteam.rounding import significant

if TYPE_CHECKING:
    from detector.redteam.arrays import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class RecordEncoder:
    """How records of numbers, followed by categories, reach a classifier, and how they differ from day to day."""

    centre: FloatArray
    """Mean of each number over the members, shape (numbers,)."""
    scale: FloatArray
    """Its standard deviation."""
    levels: tuple[int, ...]
    """Number of levels of each category."""

    @classmethod
    def of(cls, rows: FloatArray, levels: tuple[int, ...]) -> RecordEncoder:
        """Learn from members' `rows`, shape (n, width), whose last columns are categories of so many `levels`."""
        numbers = rows[:, : rows.shape[1] - len(levels)]
        return cls(numbers.mean(axis=0), numbers.std(axis=0), levels)

    def encode(self, rows: FloatArray) -> FloatArray:
        """Return standardised numbers and a block of indicators for each category."""
        count = len(self.centre)
        indicators = [np.eye(size)[rows[:, count + at].astype(int)] for at, size in enumerate(self.levels)]
        return np.hstack([(rows[:, :count] - self.centre) / self.scale, *indicators])

    def vary(self, rows: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return the records as another measurement would give them: every number off by some three per cent."""
        varied = rows.copy()
        varied[:, : len(self.centre)] *= 1 + 0.03 * rng.standard_normal((len(rows), len(self.centre)))
        return varied


def number_fields(names: tuple[str, ...], numbers: FloatArray) -> tuple[Field, ...]:
    """Return fields called `names` that span the columns of `numbers`, shape (n, fields), as a log rounds them.

    A column of whole numbers is a count.
    """
    columns = zip(names, significant(numbers).T, strict=True)
    return tuple(
        Field(name, float(column.min()), float(column.max()), whole=bool((column == np.rint(column)).all()))
        for name, column in columns
    )


def category(name: str, *levels: str) -> Field:
    """Return a field with named levels."""
    return Field(name, 0.0, len(levels) - 1.0, levels)

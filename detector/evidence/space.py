"""The space in which inputs are compared: vectors as they are, records by field, texts by their letters."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_TEXT_DIMENSION = 512
_LETTERS = 3
SAME = 1e-3
"""Two inputs nearer than this share of the records' median spacing are one."""


@dataclass(frozen=True, eq=False)
class VectorSpace:
    """Numeric vectors, each place in units of its own spread unless the vector is an image."""

    scale: NDArray[np.float64]

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return rows of this space.

        Raises:
            ValueError: the vectors have another length.
        """
        if vectors.shape[1] != len(self.scale):
            raise ValueError(f"vectors of {vectors.shape[1]} values, expected {len(self.scale)}")
        return (vectors / self.scale).astype(np.float32)


@dataclass(frozen=True, eq=False)
class RecordSpace:
    """Named fields: numbers in units of their spread, categories as indicators.

    Attributes:
        numbers: field to mean and spread.
        categories: field to its known values.
    """

    numbers: Mapping[str, tuple[float, float]]
    categories: Mapping[str, tuple[str, ...]]

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
        """Return rows of this space; an absent number lies at the mean, an unknown category nowhere."""
        columns = [self._numbers(rows, name) for name in self.numbers]
        columns += [column for name in self.categories for column in self._indicators(rows, name)]
        return np.array(columns, dtype=np.float32).T.reshape(len(rows), len(columns))

    def _numbers(self, rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
        mean, spread = self.numbers[name]
        values: list[Any] = [row.get(name) for row in rows]
        return [(float(value) - mean) / spread if is_number(value) else 0.0 for value in values]

    def _indicators(self, rows: Sequence[Mapping[str, Any]], name: str) -> list[list[float]]:
        # Two differing categories then lie one unit apart.
        half = 0.5**0.5
        values = [str(row.get(name)) for row in rows]
        return [[half if value == known else 0.0 for value in values] for known in self.categories[name]]


@dataclass(frozen=True)
class TextSpace:
    """Texts by the shares of their hashed letter triples, on the unit sphere."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return rows of this space."""
        matrix = np.zeros((len(texts), _TEXT_DIMENSION), dtype=np.float32)
        for row, text in enumerate(texts):
            padded = f" {text.casefold()} "
            for i in range(len(padded) - _LETTERS + 1):
                matrix[row, zlib.crc32(padded[i : i + _LETTERS].encode("utf-8", "replace")) % _TEXT_DIMENSION] += 1
        norm = np.linalg.norm(matrix, axis=1, keepdims=True)
        return np.asarray(matrix / np.where(norm > 0, norm, 1), dtype=np.float32)


Space = VectorSpace | RecordSpace | TextSpace


def vector_space(members: NDArray[np.float32], *, image: bool) -> VectorSpace:
    """Return the space of vectors that look like `members`."""
    if image:
        return VectorSpace(np.ones(members.shape[1]))
    spread = np.asarray(members.std(axis=0), dtype=np.float64)
    # A place that is the same in every record has no unit of its own: it takes the usual one.
    usual = float(np.median(spread[spread > 0])) if (spread > 0).any() else 1.0
    return VectorSpace(np.where(spread > 0, spread, usual))


def record_space(rows: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> RecordSpace:
    """Return the space of records that look like `rows`."""
    numbers: dict[str, tuple[float, float]] = {}
    categories: dict[str, tuple[str, ...]] = {}
    for name in fields:
        values = [row.get(name) for row in rows if row.get(name) is not None]
        if values and all(is_number(value) for value in values):
            column = np.array(values, dtype=np.float64)
            numbers[name] = (float(column.mean()), float(column.std()) or 1.0)
        else:
            categories[name] = tuple(sorted({str(value) for value in values}))
    return RecordSpace(numbers, categories)


def nearest(points: NDArray[np.float32], among: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return, for each of `points`, the distance to the nearest of `among` and which one that is."""
    distance = np.full(len(points), np.inf)
    which = np.zeros(len(points), dtype=np.int64)
    if not len(among):
        return distance, which
    squares = (among.astype(np.float64) ** 2).sum(axis=1)
    # Blocks keep the table of distances small, however many records there are.
    block = max(1, 8_000_000 // len(among))
    for first in range(0, len(points), block):
        part = points[first : first + block].astype(np.float64)
        table = (part**2).sum(axis=1)[:, None] + squares[None, :] - 2 * part @ among.T.astype(np.float64)
        which[first : first + block] = table.argmin(axis=1)
        # Differences of large squares lose small distances: the winner's is computed again from the values.
        distance[first : first + block] = np.linalg.norm(part - among[which[first : first + block]], axis=1)
    return distance, which


def two_nearest(points: NDArray[np.float32], among: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return, for each of `points`, the distances to the two nearest of `among`, the nearer first.

    A sample of fewer records leaves places infinite.
    """
    first, which = nearest(points, among)
    second = np.full(len(points), np.inf)
    squares = (among.astype(np.float64) ** 2).sum(axis=1)
    block = max(1, 8_000_000 // max(1, len(among)))
    for start in range(0, len(points) if len(among) > 1 else 0, block):
        part = points[start : start + block].astype(np.float64)
        table = (part**2).sum(axis=1)[:, None] + squares[None, :] - 2 * part @ among.T.astype(np.float64)
        table[np.arange(len(part)), which[start : start + block]] = np.inf
        second[start : start + block] = np.linalg.norm(part - among[table.argmin(axis=1)], axis=1)
    return np.stack([first, second], axis=1)


def measured(
    members: NDArray[np.float32], others: NDArray[np.float32] | None, most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how near records lie to training records by themselves, and that against the next nearest record.

    Args:
        members: the training records.
        others: the hold-out records; without them, training records take their place.
        most: training records that are looked at where they take that place.

    Returns:
        Spacing and contrast as `context.Training` has them, each ascending.
    """
    if others is None:
        # Each record is its own nearest neighbour: a third distance is needed for the contrast.
        points = members[:: max(1, len(members) // most)]
        near = _neighbours_within(points, members)
        spacing, beside = near[:, 0], near[:, 1]
    else:
        spacing, beside = nearest(others, members)[0], two_nearest(others, others)[:, 1]
    return np.sort(spacing), np.sort(contrast(spacing, beside, spacing))


def contrast(
    near: NDArray[np.float64], beside: NDArray[np.float64], spacing: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return distances divided by those to the record beside; two that are equal to a thousandth count as one."""
    known = spacing[np.isfinite(spacing)]
    least = SAME * float(np.median(known)) if known.size else 0.0
    least = max(least, float(np.finfo(np.float32).tiny))
    return np.where(np.isfinite(beside), (near + least) / (np.where(np.isfinite(beside), beside, 0.0) + least), 1.0)


def _neighbours_within(points: NDArray[np.float32], among: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the distances of records of `among` to their two nearest fellows."""
    found = np.full((len(points), 2), np.inf)
    squares = (among.astype(np.float64) ** 2).sum(axis=1)
    fellows = min(2, len(among) - 1)
    for row, point in enumerate(points.astype(np.float64) if fellows > 0 else ()):
        table = (point**2).sum() + squares - 2 * among @ point
        closest = np.sort(np.partition(table, fellows)[: fellows + 1])[1:]
        found[row, :fellows] = np.sqrt(np.maximum(closest, 0.0))
    return found


def is_number(value: object) -> bool:
    """Whether `value` is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(value))

"""States: what one night leaves of an entity, and how several nights or parts become one.

A state is a fixed row of numbers, so that nights, parts of a heavy client and partitions of a cluster merge by the same
few array operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from detector.features.block import Merge, StateColumn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


FEWEST = 20
"""Of fewer a share says nothing."""


@dataclass(frozen=True)
class Layout:
    """Where each column lies in a state's row."""

    columns: tuple[StateColumn, ...]

    @cached_property
    def places(self) -> dict[str, slice]:
        """Slice of the row under each column's name."""
        places, at = {}, 0
        for column in self.columns:
            places[column.name] = slice(at, at + column.width)
            at += column.width
        return places

    @cached_property
    def width(self) -> int:
        """Length of a state's row."""
        return sum(column.width for column in self.columns)

    @cached_property
    def best_groups(self) -> tuple[NDArray[np.int64], ...]:
        """For each group of BEST columns: the positions that travel together; the first of them decides."""
        groups: dict[str, list[int]] = {}
        for column in self.columns:
            if column.merge is Merge.BEST:
                place = self.places[column.name]
                groups.setdefault(column.group, []).extend(range(place.start, place.stop))
        return tuple(np.array(places) for places in groups.values())

    def positions(self, merge: Merge) -> NDArray[np.int64]:
        """Positions of the columns that merge by `merge`."""
        slices = [self.places[c.name] for c in self.columns if c.merge is merge]
        places = [np.arange(place.start, place.stop) for place in slices]
        return np.concatenate(places) if places else np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class States:
    """The states of G entities.

    Attributes:
        layout: where each number lies.
        rows: float64 (G, layout.width); NaN is null.
    """

    layout: Layout
    rows: NDArray[np.float64]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Return the column `name`: (G,), or (G, width) for histograms."""
        place = self.layout.places[name]
        return self.rows[:, place.start] if place.stop - place.start == 1 else self.rows[:, place]

    @classmethod
    def of(cls, layout: Layout, columns: Mapping[str, NDArray[np.float64]], entities: int) -> States:
        """Lay measured columns side by side; every column of the layout must be there."""
        rows = np.empty((entities, layout.width))
        for column in layout.columns:
            rows[:, layout.places[column.name]] = columns[column.name].reshape(entities, column.width)
        return cls(layout, rows)

    def merged(self, owner: NDArray[np.int64], entities: int) -> States:
        """Merge rows of the same entity.

        Args:
            owner: int64 (G,), the entity of each row; each from 0 to `entities` - 1 occurs at least once.
            entities: number of entities that come out.
        """
        order = np.argsort(owner, kind="stable")
        rows, firsts = self.rows[order], np.searchsorted(owner[order], np.arange(entities))
        out = np.empty((entities, self.layout.width))
        for merge, fold in ((Merge.SUM, np.add), (Merge.MAX, np.fmax), (Merge.MIN, np.fmin)):
            places = self.layout.positions(merge)
            # A null is the neutral element: one night that could not tell must not blind the week.
            values = rows[:, places]
            if merge is Merge.SUM:
                np.nan_to_num(values, copy=False)
            out[:, places] = fold.reduceat(values, firsts, axis=0) if len(places) else 0.0
        lasts = np.append(firsts[1:], len(rows)) - 1
        for places in self.layout.best_groups:
            # Where the first column is equal the others decide, so that the order of the rows never does.
            keys = np.where(np.isnan(rows[:, places]), -np.inf, rows[:, places]).T
            ranked = np.lexsort((*keys[::-1], owner[order]))
            out[:, places] = rows[ranked[lasts]][:, places]
        return States(self.layout, out)

    def take(self, rows: NDArray[np.int64]) -> States:
        """Return the states of some entities."""
        return States(self.layout, self.rows[rows])


def stacked(parts: Sequence[States]) -> States:
    """Put the states of several blocks on top of each other."""
    return States(parts[0].layout, np.concatenate([part.rows for part in parts]))


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole, null where whole is 0."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def enough(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return counts with 0 for those below FEWEST: as the whole of a ratio they make it null."""
    return np.where(counts >= FEWEST, counts, 0.0)


def entropy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shannon entropy in nats of counts along the last axis; null where there are none."""
    total = counts.sum(axis=-1)
    shares = ratio(counts, np.broadcast_to(total[..., None], counts.shape))
    terms = np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1.0)), 0.0)
    return np.where(total > 0, 0.0 - terms.sum(axis=-1), np.nan)

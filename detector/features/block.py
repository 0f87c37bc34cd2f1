"""A block of queries: whole entities side by side, sorted by entity and time, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.features.words import Words

OPERATIONS = ("predict", "explain", "gradients", "embed", "other")


class Merge(StrEnum):
    """How a column of two states becomes one.

    BEST carries the columns of a group along with the larger value of the group's first column.
    """

    SUM = "sum"
    MAX = "max"
    MIN = "min"
    BEST = "best"


@dataclass(frozen=True)
class StateColumn:
    """One number of an entity's state.

    Attributes:
        name: unique within the state.
        merge: how two states of one entity become one.
        width: how many numbers lie under this name (histograms).
        group: for BEST: the columns that travel together; the first of them decides.
    """

    name: str
    merge: Merge
    width: int = 1
    group: str = ""


@dataclass(frozen=True)
class Neighbours:
    """What comparing each query with the 16 before it gives.

    Attributes:
        distance: float32 (n,) to the nearest different one, inf where there is none.
        lag: int32 (n,) how far back that one lies, 0 where there is none.
        single: bool (n,) one of them differs in exactly one field.
        field: int32 (n,) that field, -1 where there is none.
        below: bool (n,) one of them is equal in float32 but not exactly.
    """

    distance: NDArray[np.float32]
    lag: NDArray[np.int32]
    single: NDArray[np.bool_]
    field: NDArray[np.int32]
    below: NDArray[np.bool_]


@dataclass(frozen=True)
class Block:
    """Queries of G entities, sorted by entity, then time, then place in the file.

    Attributes:
        starts: int64 (G + 1,), where each entity's queries begin; the last is n.
        ts: int64 (n,), UTC microseconds.
        view: float32 (n, d) inputs, or None where the log shows none; rows that cannot be read are NaN.
        input_hash: int64 (n,) hash of the exact input, 0 where unknown.
        label: int32 (n,) class position, -1 where unknown.
        top: float32 (n,) largest probability or the confidence given, NaN where unknown.
        probabilities: float32 (n, K), NaN where unknown.
        scored: int8 (n,) 1 scores given, 0 not, -1 unknown.
        operation: int8 (n,) position in OPERATIONS.
        status: int32 (n,), -1 where unknown.
        params: int64 (n,) hash of the parameters, 0 where there are none.
        flags: int32 (n,) RowFlag bits.
        field_of: int32 (d,) the field that each value of a view belongs to: the values of a category share one.
        words: the words of texts; None where inputs are none.
    """

    starts: NDArray[np.int64]
    ts: NDArray[np.int64]
    view: NDArray[np.float32] | None
    input_hash: NDArray[np.int64]
    label: NDArray[np.int32]
    top: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    scored: NDArray[np.int8]
    operation: NDArray[np.int8]
    status: NDArray[np.int32]
    params: NDArray[np.int64]
    flags: NDArray[np.int32]
    field_of: NDArray[np.int32]
    words: Words | None = None

    @property
    def entities(self) -> int:
        """Number of entities G."""
        return len(self.starts) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """Queries of each entity, int64 (G,)."""
        return np.diff(self.starts)

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """Entity position of each query, int64 (n,)."""
        return np.repeat(np.arange(self.entities), self.counts)

    @cached_property
    def neighbours(self) -> Neighbours | None:
        """Each query against the 16 before it; three families read this. None where the log shows no inputs."""
        if self.view is None:
            return None
        from detector.features import kernels

        n = len(self.ts)
        distance, changed = np.empty(n, np.float32), np.zeros((n, 2), np.int32)
        field, below = np.empty(n, np.int32), np.empty(n, np.int8)
        kernels.nearest_previous(
            self.view, self.starts, self.field_of, distance, changed, field, below, self.input_hash
        )
        return Neighbours(np.sqrt(distance), changed[:, 0], changed[:, 1] > 0, field, below > 0)

    @cached_property
    def climbs(self) -> NDArray[np.float64]:
        """Each entity's steepest segment, (G, 10): see `kernels.best_segment`; two families read this."""
        from detector.features import kernels

        out = np.full((self.entities, 10), np.nan)
        kernels.best_segment(self.probabilities, self.label, self.starts, out)
        return out

    @property
    def pursued(self) -> NDArray[np.int64]:
        """The class that each entity's steepest segment climbs towards, (G,); -1 for none."""
        return self.climbs[:, 2].astype(np.int64)

    def sums(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Sum `values` (n,) over each entity's queries: float64 (G,)."""
        return np.add.reduceat(values.astype(np.float64), self.starts[:-1])

    def weighted(self, trend: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `trend` (G,) times each entity's queries, and these: sums of both merge; 0 where it is null."""
        counts = self.counts.astype(np.float64)
        return np.nan_to_num(trend) * counts, np.where(np.isnan(trend), 0.0, counts)

    def histogram(self, codes: NDArray[np.integer], width: int) -> NDArray[np.float64]:
        """Count `codes` (n,) below `width` for each entity, leaving negative ones out: float64 (G, width)."""
        keep = codes >= 0
        flat = self.owner[keep] * width + codes[keep]
        return np.bincount(flat, minlength=self.entities * width).reshape(self.entities, width).astype(np.float64)

    def distinct(self, codes: NDArray[np.int64], keep: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Count distinct `codes` (n,) of each entity among the rows kept: float64 (G,)."""
        from detector.features import kernels

        out = np.empty(self.entities)
        kernels.distinct(codes, keep, self.starts, out)
        return out

    def sample(self, most: int) -> NDArray[np.int64]:
        """Positions of at most `most` evenly spaced queries of each entity, in order."""
        counts = np.minimum(self.counts, most)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        rank = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
        step = np.repeat(self.counts, counts) / np.repeat(counts, counts)
        return np.repeat(self.starts[:-1], counts) + np.floor(rank * step).astype(np.int64)

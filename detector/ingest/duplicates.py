"""Which queries the store holds already.

A query is known by its time and key. Where the log has request ids, equal lines are one query. Where it has none, equal
lines of one file are as many queries, told apart by `occurrence`, while the same line in another file is the same query
again: the n-th equal line of a file is a duplicate if the store holds n of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from detector.ingest.arrays import valid, whole
from detector.ingest.nights import EARLIEST_PLAUSIBLE, LATEST_PLAUSIBLE

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from detector.store.ingesting import IngestLane


@dataclass
class Duplicates:
    """Tells the new queries of one file's batches from those known.

    Only rows whose time lies where the store may hold something are looked up. Times that cannot be are left out of
    these ranges (one of them would make a range span everything) and are always looked up.

    Attributes:
        lane: where the known queries are.
        ranges: (first, last) microsecond of each file stored before.
        file_range: the same of this file's earlier batches.
    """

    lane: IngestLane
    ranges: list[tuple[int, int]]
    file_range: tuple[int, int] | None = None
    _last_seen: int | None = field(default=None, repr=False)

    def occurrences(self, table: pa.Table) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return the occurrence of each row of the batch that follows, and whether it is new."""
        ts, high, low = (np.asarray(table[name]).astype(np.int64) for name in ("ts", "key_hi", "key_lo"))
        if not len(ts):
            return np.zeros(0, np.int32), np.zeros(0, bool)
        first, inverse, earlier = _ranked(high, low)
        has_id = valid(whole(table["request_id"]))
        stored = np.zeros(len(first), np.int64)
        ask = np.flatnonzero(self._may_be_stored(ts[first]))
        if len(ask):
            at = first[ask]
            stored[ask] = self.lane.stored_counts(ts[at], high[at], low[at])
        seen = self._seen(ts, high, low, first, inverse, has_id)
        occurrence = np.where(has_id, 0, earlier + seen[inverse])
        new = (occurrence >= stored[inverse]) & ~(has_id & (earlier > 0))
        self._extend(ts)
        return occurrence.astype(np.int32), new

    def recall(self, table: pa.Table) -> None:
        """Count the keys of a batch that an interrupted run has committed already."""
        ts, high, low = (np.asarray(table[name]).astype(np.int64) for name in ("ts", "key_hi", "key_lo"))
        if len(ts):
            first, inverse, _ = _ranked(high, low)
            self._note(ts, high, low, first, inverse, np.flatnonzero(~valid(whole(table["request_id"]))[first]))

    def _may_be_stored(self, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
        maybe = (ts < EARLIEST_PLAUSIBLE) | (ts >= LATEST_PLAUSIBLE)
        ranges = self.ranges + ([self.file_range] if self.file_range else [])
        for first, last in _merged(ranges):
            maybe |= (ts >= first) & (ts <= last)
        return maybe

    def _seen(
        self,
        ts: NDArray[np.int64],
        high: NDArray[np.int64],
        low: NDArray[np.int64],
        first: NDArray[np.int64],
        inverse: NDArray[np.int64],
        has_id: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Return how often each distinct key without an id came in earlier batches of this file, and note this one."""
        seen = np.zeros(len(first), np.int64)
        without = np.flatnonzero(~has_id[first])
        if not len(without):
            return seen
        at = first[without]
        if self._last_seen is not None:
            ask = ts[at] <= self._last_seen
            if ask.any():
                seen[without[ask]] = self.lane.seen_counts(ts[at[ask]], high[at[ask]], low[at[ask]])
        self._note(ts, high, low, first, inverse, without)
        return seen

    def _note(
        self,
        ts: NDArray[np.int64],
        high: NDArray[np.int64],
        low: NDArray[np.int64],
        first: NDArray[np.int64],
        inverse: NDArray[np.int64],
        without: NDArray[np.int64],
    ) -> None:
        if not len(without):
            return
        at = first[without]
        self.lane.note_seen(ts[at], high[at], low[at], np.bincount(inverse, minlength=len(first))[without])
        latest = int(ts[at].max())
        self._last_seen = latest if self._last_seen is None else max(latest, self._last_seen)

    def _extend(self, ts: NDArray[np.int64]) -> None:
        kept = plausible(ts)
        if len(kept):
            first, last = int(kept.min()), int(kept.max())
            before = self.file_range or (first, last)
            self.file_range = (min(first, before[0]), max(last, before[1]))


def plausible(ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the times that can be."""
    return ts[(ts >= EARLIEST_PLAUSIBLE) & (ts < LATEST_PLAUSIBLE)]


def _ranked(
    high: NDArray[np.int64], low: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Group equal keys.

    Returns:
        the first row of each distinct key, each row's place among these, and how many equal rows come before each row.
    """
    ordered = np.sort(high)
    if not (ordered[1:] == ordered[:-1]).any():
        every = np.arange(len(high))
        return every, every, np.zeros(len(high), np.int64)
    order = np.lexsort((low, high))
    head = np.ones(len(order), bool)
    head[1:] = (high[order][1:] != high[order][:-1]) | (low[order][1:] != low[order][:-1])
    group = np.cumsum(head) - 1
    starts = np.flatnonzero(head)
    inverse, earlier = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    inverse[order] = group
    earlier[order] = np.arange(len(order)) - starts[group]
    return order[starts], inverse, earlier


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged

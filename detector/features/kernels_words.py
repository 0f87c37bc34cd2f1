"""Compiled loops over the words of an entity's texts. Every cost is linear in the words."""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.features.kernels import LAGS


@njit(cache=True, nogil=True)
def smallest_edits(codes, bounds, starts, added, removed, place, after):  # type: ignore[no-untyped-def]
    """Name the smallest edit that makes each text of one of the LAGS before it.

    An edit takes `removed` words out at `place` and puts `added` in; `after` words follow. The smallest has the fewest
    of the larger of both numbers, and is to the latest text among equals. `added` is -1 where no earlier text differs.
    """
    for g in range(starts.shape[0] - 1):
        for i in range(starts[g], starts[g + 1]):
            added[i] = -1
            size = bounds[i + 1] - bounds[i]
            best = np.int64(1) << 40
            for lag in range(1, min(LAGS, i - starts[g]) + 1):
                j = i - lag
                other = bounds[j + 1] - bounds[j]
                if max(size, other) - min(size, other) >= best:
                    continue
                shorter = min(size, other)
                head = 0
                while head < shorter and codes[bounds[i] + head] == codes[bounds[j] + head]:
                    head += 1
                if head == size and head == other:
                    continue
                tail = 0
                while tail < shorter - head and codes[bounds[i + 1] - 1 - tail] == codes[bounds[j + 1] - 1 - tail]:
                    tail += 1
                larger = max(size, other) - head - tail
                if larger < best:
                    best = larger
                    added[i] = size - head - tail
                    removed[i] = other - head - tail
                    place[i] = head
                    after[i] = tail


@njit(cache=True, nogil=True)
def new_words(codes, bounds, starts, vocabulary, out):  # type: ignore[no-untyped-def]
    """Count the words of each text that none of the LAGS texts before it has; -1 for an entity's first text."""
    seen = np.full(vocabulary, -1, dtype=np.int64)
    for g in range(starts.shape[0] - 1):
        for i in range(starts[g], starts[g + 1]):
            fresh = 0
            for k in range(bounds[i], bounds[i + 1]):
                last = seen[codes[k]]
                if last != i and (last < starts[g] or last < i - LAGS):
                    fresh += 1
                seen[codes[k]] = i
            out[i] = fresh if i > starts[g] else -1

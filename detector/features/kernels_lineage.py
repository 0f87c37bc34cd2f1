"""Compiled loops over descent: which earlier query each query is a variation of. Linear in the queries."""

from __future__ import annotations

import numpy as np
from numba import njit

REACH = 96
# Eight projected values stretch a distance beyond this once in two hundred times.
SKETCHED_APART = 1.65
SKETCHED = 8


@njit(nogil=True, forceinline=True)
def _sketch_distances(columns, i, low, count, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the squared distances of query i's sketch to those of `count` queries from `low` on."""
    first = np.uint64(low)
    a0, a1, a2, a3 = columns[0, i], columns[1, i], columns[2, i], columns[3, i]
    a4, a5, a6, a7 = columns[4, i], columns[5, i], columns[6, i], columns[7, i]
    # Unsigned places and a sum written out are what the compiler needs to use vector registers.
    for at in range(np.uint64(count)):
        j = first + at
        b0, b1, b2, b3 = a0 - columns[0, j], a1 - columns[1, j], a2 - columns[2, j], a3 - columns[3, j]
        b4, b5, b6, b7 = a4 - columns[4, j], a5 - columns[5, j], a6 - columns[6, j], a7 - columns[7, j]
        out[at] = b0 * b0 + b1 * b1 + b2 * b2 + b3 * b3 + b4 * b4 + b5 * b5 + b6 * b6 + b7 * b7


@njit(nogil=True, forceinline=True)
def _near_ones(sketched, i, reach, top, backwards, wide, near):  # type: ignore[no-untyped-def]
    """List the queries whose sketches are near but not equal, the latest first; return their number and the equal one.

    Listed without a branch: which of them are near is not to be guessed.
    """
    count = 0
    equal = -1
    for lag in range(1, reach + 2):
        if lag > reach and top < 0:
            continue
        j = top if lag > reach else i + lag if backwards else i - lag
        total = sketched[lag - 1 if backwards or lag > reach else reach - lag]
        near[count] = j
        count += (total < wide) & (total != 0.0)
        if total == 0.0 and equal < 0:
            equal = j
    return count, equal


@njit(nogil=True, forceinline=True)
def _nearest(view, i, near, count, best):  # type: ignore[no-untyped-def]
    """Return the least squared distance below `best` to one of those listed, and which one that is, -1 for none.

    Four sums at a time, as each addition waits for the one before; near[count:count + 3] is overwritten.
    """
    which = -1
    for at in range(count, count + 3):
        near[at] = i
    for at in range(0, count, 4):
        j0, j1, j2, j3 = near[at], near[at + 1], near[at + 2], near[at + 3]
        t0, t1, t2, t3 = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
        for k in range(view.shape[1]):
            own = view[i, k]
            g0, g1, g2, g3 = own - view[j0, k], own - view[j1, k], own - view[j2, k], own - view[j3, k]
            t0 += g0 * g0
            t1 += g1 * g1
            t2 += g2 * g2
            t3 += g3 * g3
        for j, total in ((j0, t0), (j1, t1), (j2, t2), (j3, t3)):
            if total < best and j != i:
                best = total
                which = j
    return best, which


@njit(cache=True, nogil=True)
def nearest_kin(view, sketch, starts, p, pursued, radius, backwards, parent, distance, same):  # type: ignore[no-untyped-def]
    """Find each query's nearest different one within `radius`, among the REACH before it and the best so far.

    The best so far is the one with the largest probability of the entity's pursued class: a search builds on it however
    long ago it was asked. With `backwards` time runs the other way. Sketches leave out what is surely farther. Fills
    `parent`, -1 where there is none, and `same`, the latest one of equal sketch, -1 where there is none.
    """
    wide = (radius * SKETCHED_APART) ** 2
    # A sketched value a row: then one query is compared with many at a time, in the lanes of vector registers.
    columns = np.zeros((SKETCHED, sketch.shape[0]), np.float32)
    columns[: sketch.shape[1]] = sketch.T
    sketched = np.empty(REACH + 1, np.float32)
    near = np.empty(REACH + 4, np.int64)
    for g in range(starts.shape[0] - 1):
        c = pursued[g]
        top = -1
        for step in range(starts[g + 1] - starts[g]):
            i = starts[g + 1] - 1 - step if backwards else starts[g] + step
            reach = min(REACH, step)
            _sketch_distances(columns, i, i + 1 if backwards else i - reach, reach, sketched)
            beyond = top if top >= 0 and abs(i - top) > reach else -1
            if beyond >= 0:
                _sketch_distances(columns, i, beyond, 1, sketched[reach:])
            count, same[i] = _near_ones(sketched, i, reach, beyond, backwards, wide, near)
            distance[i], parent[i] = _nearest(view, i, near, count, np.float32(radius * radius))
            if c >= 0 and not np.isnan(p[i, c]) and (top < 0 or p[i, c] > p[top, c]):
                top = i


@njit(cache=True, nogil=True)
def follow_threads(parent, close, same, thread):  # type: ignore[no-untyped-def]
    """Name each query's thread by its first query: that of the one it repeats or closely varies, else its own."""
    for i in range(parent.shape[0]):
        if close[i]:
            thread[i] = thread[parent[i]]
        elif same[i] >= 0:
            thread[i] = thread[same[i]]
        else:
            thread[i] = i


@njit(cache=True, nogil=True)
def selection(p, target, starts, parent, out):  # type: ignore[no-untyped-def]
    """Do improvements have more offspring than failures?

    Among queries that vary another one closely, and whose thread pursues a class, fills, a row an entity: number of
    queries whose probability of the class exceeds their parent's, how many of those are somebody's parent, number of
    the others, how many of those are.
    """
    has_child = np.zeros(parent.shape[0], np.bool_)
    for i in range(parent.shape[0]):
        if parent[i] >= 0:
            has_child[parent[i]] = True
    for g in range(starts.shape[0] - 1):
        for i in range(starts[g], starts[g + 1]):
            c = target[i]
            if c < 0 or parent[i] < 0:
                continue
            own = p[i, c]
            other = p[parent[i], c]
            if np.isnan(own) or np.isnan(other) or own == other:
                continue
            base = 0 if own > other else 2
            out[g, base] += 1.0
            out[g, base + 1] += has_child[i]


@njit(cache=True, nogil=True)
def parent_ranks(p, target, starts, parent, backwards, out):  # type: ignore[no-untyped-def]
    """How good is the query that is varied, among those that could have been?

    For each query with a parent, the share of the REACH before it (after it, `backwards`) whose probability of the
    class is below the parent's, ties counting half. Fills, a row an entity: number of queries, sum, sum of squares.
    """
    for g in range(starts.shape[0] - 1):
        first = starts[g]
        last = starts[g + 1]
        for i in range(first, last):
            j = parent[i]
            c = target[i]
            if j < 0 or c < 0 or np.isnan(p[j, c]):
                continue
            low = i + 1 if backwards else max(first, i - REACH)
            high = min(last, i + 1 + REACH) if backwards else i
            parents = p[j, c]
            # Counted without a branch; what is null compares as neither.
            below = 0
            level = 0
            known = 0
            for k in range(low, high):
                v = p[k, c]
                known += v == v  # noqa: PLR0124
                below += v < parents
                level += v == parents
            if known >= 8:
                share = (below + 0.5 * level) / known
                out[g, 0] += 1.0
                out[g, 1] += share
                out[g, 2] += share * share

"""Compiled loops over a pool of several clients' queries: who comes near whom. Linear in the queries times a reach."""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.features.kernels_lineage import SKETCHED_APART

ROUNDS = 20


@njit(cache=True, nogil=True)
def nearest_of_others(  # type: ignore[no-untyped-def]
    view, sketch, client, reach, first, last, source, distance, own
):
    """Find the nearest different queries that other clients sent, among the `reach` before each from `first` to `last`.

    Fills `source` (n, k), -1 where there is none, the squared `distance` (n, k), nearest first, and the squared
    distance of the nearest of its `own` client (n,). Equal inputs are passed over: many clients send the same natural
    records. Sketches leave out what is surely farther than the nearest so far.
    """
    d = view.shape[1]
    s = sketch.shape[1]
    k = source.shape[1]
    slack = np.float32(SKETCHED_APART**2)
    for i in range(first, last):
        source[i] = -1
        distance[i] = np.inf
        own[i] = np.inf
        for j in range(i - 1, max(-1, i - reach - 1), -1):
            mine = client[j] == client[i]
            bound = own[i] if mine else distance[i, k - 1]
            total = np.float32(0.0)
            for f in range(s):
                gap = sketch[i, f] - sketch[j, f]
                total += gap * gap
            if total == 0.0 or not total < slack * bound:
                continue
            total = np.float32(0.0)
            for f in range(d):
                gap = view[i, f] - view[j, f]
                total += gap * gap
            if not total < bound:
                continue
            if mine:
                own[i] = total
                continue
            place = k - 1
            while place > 0 and distance[i, place - 1] > total:
                distance[i, place] = distance[i, place - 1]
                source[i, place] = source[i, place - 1]
                place -= 1
            distance[i, place] = total
            source[i, place] = j


@njit(cache=True, nogil=True)
def best_stretches(evidence, starts, out):  # type: ignore[no-untyped-def]
    """Find the stretch of each client's queries with the largest sum of `evidence`, in one pass.

    `evidence` lies client by client between `starts`, in time order. Fills, a row a client: the sum, 0 where none is
    positive, and the positions of the stretch's first query and of the one behind its last.
    """
    for g in range(starts.shape[0] - 1):
        running = 0.0
        first = starts[g]
        for i in range(starts[g], starts[g + 1]):
            if running <= 0.0:
                running = 0.0
                first = i
            running += evidence[i]
            if running > out[g, 0]:
                out[g, 0] = running
                out[g, 1] = first
                out[g, 2] = i + 1


@njit(cache=True, nogil=True)
def settle(ties, group):  # type: ignore[no-untyped-def]
    """Move each node to the group that its `ties` (n, n) sum highest to, in order, until none gains; True if any moved.

    The local moves of modularity maximisation (Blondel et al. 2008). `group` (n,) holds names from 0 to n - 1.
    """
    n = ties.shape[0]
    total = np.zeros(n, np.float64)
    moved = False
    for _ in range(ROUNDS):
        again = False
        for i in range(n):
            total[:] = 0.0
            for j in range(n):
                if j != i:
                    total[group[j]] += ties[i, j]
            best = group[i]
            for name in range(n):
                if total[name] > total[best] + 1e-9:
                    best = name
            if best != group[i]:
                group[i] = best
                again = True
        if not again:
            break
        moved = True
    return moved

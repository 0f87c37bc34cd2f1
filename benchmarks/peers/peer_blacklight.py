"""Blacklight (Li, Shan, Wenger, Zhang, Zheng, Zhao: Blacklight, USENIX Security 2022).

An input is quantised to steps of 50 of 255; every window of 20 consecutive values is hashed; the 50 largest hashes are
its fingerprint. Whoever shares more than 25 of them with an earlier query is alarmed about. Small inputs have fewer
windows: there a window is a quarter of the input, the fingerprint all different ones, and the alarm above half of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from peer_kinds import Judged

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from peer_kinds import Judge
    from peer_logs import Night, Site

STEP = 50
WINDOW = 20
FINGERPRINTS = 50
SHARED = 25
# A hash of an image's empty border is in every fingerprint. Of its earlier holders so many, the latest, are compared.
HOLDERS = 300
_SALT = 0x9E3779B97F4A7C15
MISSING = 0


class Blacklight:
    """Blacklight against a client's own earlier queries of the night, or against those of all clients."""

    source = "Li et al., USENIX Security 2022"

    def __init__(self, *, shared: bool) -> None:
        self.shared = shared
        self.name = "Blacklight, all clients" if shared else "Blacklight, per client"

    def learn(self, site: Site) -> Judge:
        """Blacklight learns nothing beforehand."""
        del site
        return self.judge

    def judge(self, night: Night) -> Judged:
        """Return whether a query of the client matched, how many did, and how closely."""
        prints = fingerprints(night.view)
        order = np.argsort(night.ts, kind="stable") if self.shared else np.arange(len(night.ts))
        owner = np.repeat(np.arange(len(night.clients)), np.diff(night.starts))
        most = np.empty(len(order), dtype=np.int64)
        most[order] = shared_with_earlier(prints[order], np.zeros_like(owner) if self.shared else owner)
        share = most / (prints != MISSING).sum(axis=1)
        matched = share > SHARED / FINGERPRINTS
        hits = np.add.reduceat(matched, night.starts[:-1], dtype=np.int64)
        size = np.diff(night.starts)
        return Judged(
            {f"above {SHARED} of {FINGERPRINTS}": hits > 0},
            {
                "queries that match": hits.astype(float),
                "share that match": hits / size,
                "mean shared": np.add.reduceat(share, night.starts[:-1]) / size,
                "most shared": np.maximum.reduceat(share, night.starts[:-1]),
            },
        )


def fingerprints(view: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return the largest different window hashes of each input, shape (n, up to 50), 0 where there are fewer.

    The paper's salted SHA keeps who reads the table from learning the inputs. Here it only picks windows at random,
    which a keyed 64-bit mix does as well and much faster.
    """
    levels = (np.clip(view, 0, 1) * 255 / STEP).astype(np.uint64)
    width = WINDOW if view.shape[1] >= 4 * WINDOW else max(2, view.shape[1] // 4)
    windows = max(1, view.shape[1] - width + 1)
    return _largest(levels, width, windows, min(FINGERPRINTS, windows), np.uint64(_SALT))


@njit(cache=True)
def _largest(levels, width, windows, keep, salt):  # noqa: ANN001, ANN202
    n, d = levels.shape
    out = np.zeros((n, keep), np.uint64)
    hashes = np.empty(windows, np.uint64)
    for i in range(n):
        for w in range(windows):
            h = salt
            for k in range(w, min(d, w + width)):
                h = (h ^ (levels[i, k] + np.uint64(1))) * np.uint64(0xBF58476D1CE4E5B9)
                h ^= h >> np.uint64(29)
            hashes[w] = h * np.uint64(0x94D049BB133111EB)
        hashes.sort()
        kept = 0
        for w in range(windows - 1, -1, -1):
            if kept < keep and (w == windows - 1 or hashes[w] != hashes[w + 1]):
                out[i, kept] = hashes[w]
                kept += 1
    return out


def shared_with_earlier(prints: NDArray[np.uint64], owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the largest number of fingerprints that each query shares with one earlier query of the same owner.

    Args:
        prints: shape (n, f), in the order in which the queries came.
        owner: shape (n,); queries of different owners are not compared.
    """
    ids = np.unique(prints, return_inverse=True)[1].reshape(prints.shape)
    if owner.any():
        ids = np.unique(ids + owner[:, None] * (int(ids.max()) + 1), return_inverse=True)[1].reshape(prints.shape)
    known = np.where(prints == MISSING, -1, ids).astype(np.int64)
    return _most_shared(known, int(ids.max()) + 1, HOLDERS)


@njit(cache=True)
def _most_shared(ids, distinct, holders):  # noqa: ANN001, ANN202
    n, f = ids.shape
    latest = np.full(distinct, -1, np.int64)
    before = np.empty((n, f), np.int64)
    counts = np.zeros(n, np.int64)
    touched = np.empty(f * holders, np.int64)
    out = np.zeros(n, np.int64)
    for i in range(n):
        used = 0
        for j in range(f):
            if ids[i, j] < 0:
                break
            cell = latest[ids[i, j]]
            for _ in range(holders):
                if cell < 0:
                    break
                q = cell // f
                if counts[q] == 0:
                    touched[used] = q
                    used += 1
                counts[q] += 1
                cell = before[q, cell % f]
        for t in range(used):
            out[i] = max(out[i], counts[touched[t]])
            counts[touched[t]] = 0
        for j in range(f):
            if ids[i, j] < 0:
                break
            before[i, j] = latest[ids[i, j]]
            latest[ids[i, j]] = i * f + j
    return out

"""QPA's graph (Li et al.: Query Provenance Analysis, S&P 2025).

Each query is linked to the most similar earlier one if they are similar enough; linked queries form components, and a
component whose edge weights sum to an outlier is an attack's. The paper compares images by an encoder; here the
similarity of two inputs falls linearly with their distance, from 1 to 0 at the median distance between neighbours in
the training sample, and they are linked above one half. Outlier: beyond three standard deviations of the logarithm of
the sums in the learning nights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from peer_distances import nearest_earlier
from peer_kinds import Judged
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from peer_kinds import Judge
    from peer_logs import Night, Site

LINKED = 0.5
DEVIATIONS = 3.0
# All clients together are too many for all pairs: each query is compared with so many earlier ones.
WINDOW = {False: 1_000_000, True: 10_000}


class Graph:
    """Components of linked queries: a client's own, or those of all clients."""

    source = "Li et al., S&P 2025"

    def __init__(self, *, shared: bool) -> None:
        self.shared = shared
        self.name = "QPA's graph, all clients" if shared else "QPA's graph, per client"

    def learn(self, site: Site) -> Judge:
        """Take the scale of similarity from the training sample, and usual sums from the learning nights."""
        scale = neighbour_distance(site.sample)
        usual = np.concatenate([np.log1p(self._sums(night, scale)[0]) for night in site.learning])
        limit = float(np.expm1(usual.mean() + DEVIATIONS * usual.std()))

        def judge(night: Night) -> Judged:
            return self._judge(night, scale, limit)

        return judge

    def _judge(self, night: Night, scale: float, limit: float) -> Judged:
        sums, component, weight = self._sums(night, scale)
        mine = sums[component]
        size = np.diff(night.starts)
        outlying = np.add.reduceat(mine > limit, night.starts[:-1], dtype=np.int64)
        return Judged(
            {f"{DEVIATIONS:.0f} deviations": outlying > 0},
            {
                "largest sum": np.maximum.reduceat(mine, night.starts[:-1]),
                "mean weight": np.add.reduceat(weight, night.starts[:-1]) / size,
                "share in outliers": outlying / size,
                "mean sum": np.add.reduceat(np.log1p(mine), night.starts[:-1]) / size,
            },
        )

    def _sums(self, night: Night, scale: float) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Return the sum of each component, the component of each query, and the weight of each query's link."""
        n = len(night.ts)
        link, distance = np.full(n, -1), np.full(n, np.inf)
        if self.shared:
            order = np.argsort(night.ts, kind="stable")
            chosen, distance[order] = nearest_earlier(night.view[order], WINDOW[True])
            link[order] = np.where(chosen >= 0, order[chosen], -1)
        else:
            for rows in night.streams():
                chosen, distance[rows] = nearest_earlier(night.view[rows], WINDOW[False])
                link[rows] = np.where(chosen >= 0, chosen + rows.start, -1)
        return component_sums(link, np.clip(1 - distance / scale, 0, 1))


def component_sums(
    link: NDArray[np.int64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Put linked queries together.

    Args:
        link: an earlier query for each, or -1; shape (n,).
        weight: similarity to it, 0 to 1; links of at most `LINKED` do not count.

    Returns:
        sums of weights by component, the component of each query, the weights that count.
    """
    kept = np.where((link >= 0) & (weight > LINKED), weight, 0.0)
    rows = np.flatnonzero(kept)
    edges = coo_array((np.ones(len(rows)), (rows, link[rows])), shape=(len(link), len(link)))
    count, component = connected_components(edges, directed=False)
    return np.bincount(component, weights=kept, minlength=count), component, kept


def neighbour_distance(sample: NDArray[np.float32]) -> float:
    """Return the median distance from a sample's members to their nearest different neighbour."""
    distinct = np.unique(sample, axis=0)
    found = NearestNeighbors(n_neighbors=2).fit(distinct).kneighbors(distinct)[0]
    return max(float(np.median(found[:, 1])), 1e-6)

"""How sure a share is: exact bounds, and resampling whole attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta

from detector.evaluate.results import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95
# Resampled at once: bounds the memory for logs with many attacks.
_CELLS = 4_000_000


def upper_bound(hits: int, total: int, level: float = LEVEL) -> float:
    """Return the one-sided upper bound on a share (Clopper and Pearson 1934).

    Args:
        hits: how often it happened, 0 to `total`.
        total: in how many independent trials; 0 leaves everything possible.
        level: how sure, 0 to 1.
    """
    return 1.0 if hits >= total else float(beta.ppf(level, hits + 1, total - hits))


def lower_bound(hits: int, total: int, level: float = LEVEL) -> float:
    """Return the one-sided lower bound on a share (Clopper and Pearson 1934); see `upper_bound`."""
    return 0.0 if hits <= 0 else float(beta.ppf(1 - level, hits, total - hits + 1))


def cluster_interval(
    found: NDArray[np.int64], clients: NDArray[np.int64], rng: np.random.Generator, resamples: int
) -> Interval:
    """Return the interval of sum(found) / sum(clients), where the clients of an attack stand or fall together.

    Attacks are drawn with replacement, then of each as many clients as it has, also with replacement; the interval is
    that of the percentiles (two-stage bootstrap, Davison and Hinkley 1997, section 3.8). Where all attacks were found
    whole, or none at all, every resample says the same: then the interval is the exact one over attacks.

    Args:
        found: clients found, for each attack.
        clients: clients, at least 1 for each attack; same shape.
        rng: of the draw.
        resamples: how many.
    """
    attacks = len(clients)
    if found.sum() in {0, clients.sum()}:
        whole = attacks if found.sum() else 0
        tail = 1 - (1 - LEVEL) / 2
        return Interval(lower_bound(whole, attacks, tail), upper_bound(whole, attacks, tail), "exact")
    rates = np.empty(resamples)
    step = max(1, _CELLS // attacks)
    for first in range(0, resamples, step):
        drawn = rng.integers(0, attacks, (min(step, resamples - first), attacks))
        size = clients[drawn]
        hits = rng.binomial(size, (found / clients)[drawn])
        rates[first : first + len(drawn)] = hits.sum(axis=1) / size.sum(axis=1)
    low, high = np.quantile(rates, [(1 - LEVEL) / 2, 1 - (1 - LEVEL) / 2])
    return Interval(float(low), float(high), "bootstrap")

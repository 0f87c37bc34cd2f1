"""PRADA (Juuti, Szyller, Marchal, Asokan: PRADA, EuroS&P 2019, algorithm 3).

Each class keeps a growing set of inputs. A query's distance to the nearest member of its class's set goes into one list
a client; the query joins the set where that distance exceeds the class's threshold. Natural streams give distances that
look normal, so the client is an attacker when the Shapiro-Wilk statistic of the list, outliers beyond three standard
deviations removed, falls below delta once more than 100 distances are known.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from peer_kinds import Judged
from scipy.stats import shapiro

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from peer_kinds import Judge
    from peer_logs import Night, Site

DELTAS = (0.90, 0.95)
FEWEST = 100
# The paper tests after every query. W moves slowly: after so many, and after each 5 % more, it is looked at again.
STRIDE = 25
GROWTH = 1.05


class Prada:
    """PRADA for each client-night."""

    name = "PRADA"
    source = "Juuti et al., EuroS&P 2019"

    def learn(self, site: Site) -> Judge:
        """PRADA learns nothing beforehand."""
        del site
        return judge


def judge(night: Night) -> Judged:
    """Return the lowest and the last Shapiro-Wilk statistic of each client; 1 where it sent too few queries."""
    lowest, last = np.ones(len(night.clients)), np.ones(len(night.clients))
    for client, rows in enumerate(night.streams()):
        if rows.stop - rows.start > FEWEST:
            labels = np.unique(night.label[rows], return_inverse=True)[1]
            seen = normality(growing_distances(night.view[rows], labels, int(labels.max()) + 1))
            if len(seen):
                lowest[client], last[client] = seen.min(), seen[-1]
    alarms = {f"delta {delta:.2f}": lowest < delta for delta in DELTAS}
    return Judged(alarms, {"lowest W": -lowest, "last W": -last})


def normality(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return W of growing prefixes of the distances."""
    values, size = [], FEWEST + 1
    while size <= len(distances):
        values.append(_w(distances[:size]))
        size = size + max(STRIDE, int(size * (GROWTH - 1)))
    if len(distances) > FEWEST:
        values.append(_w(distances))
    return np.asarray(values)


def _w(distances: NDArray[np.float64]) -> float:
    """Return W without outliers; 1 for a constant list, as the usual implementations of W do: it does not alarm."""
    mean, spread = distances.mean(), distances.std()
    kept = distances[np.abs(distances - mean) < 3 * spread]
    if spread <= 1e-9 or len(kept) < 3 or np.ptp(kept) <= 1e-9:
        return 1.0
    with warnings.catch_warnings():
        # Above 5,000 values the p-value is rough; only W is used.
        warnings.simplefilter("ignore", UserWarning)
        return float(shapiro(kept).statistic)


@njit(cache=True)
def growing_distances(view, label, classes):  # noqa: ANN001, ANN201
    """Return the list of distances to the nearest member of the growing sets, shape (up to n,)."""
    n, d = view.shape
    members = np.empty((classes, n), np.int64)
    sizes = np.zeros(classes, np.int64)
    threshold, total, squares = np.zeros(classes), np.zeros(classes), np.zeros(classes)
    joined = np.zeros(classes)
    out = np.empty(n)
    count = 0
    for i in range(n):
        c = label[i]
        if sizes[c] == 0:
            members[c, 0] = i
            sizes[c] = 1
            continue
        best = np.inf
        for m in range(sizes[c]):
            j = members[c, m]
            distance = 0.0
            for k in range(d):
                step = view[i, k] - view[j, k]
                distance += step * step
                if distance >= best:
                    break
            best = min(best, distance)
        nearest = np.sqrt(best)
        out[count] = nearest
        count += 1
        if nearest > threshold[c]:
            members[c, sizes[c]] = i
            sizes[c] += 1
            joined[c] += 1
            total[c] += nearest
            squares[c] += nearest * nearest
            mean = total[c] / joined[c]
            deviation = np.sqrt(max(0.0, squares[c] / joined[c] - mean * mean))
            threshold[c] = max(threshold[c], mean - deviation)
    return out[:count]

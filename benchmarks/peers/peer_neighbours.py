"""Stateful detection (Chen, Carlini, Wagner: Stateful Detection of Black-Box Adversarial Attacks, 2019).

A client's queries are buffered; a query whose mean distance to its 50 nearest neighbours in the buffer lies below a
threshold is an attack's. The threshold is that which 0.1 % of the training data would fall below. The paper measures in
the output of an encoder trained for images of one kind; here it is the distance of the (scaled) inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from peer_distances import mean_to_nearest
from peer_kinds import Judged

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from peer_kinds import Judge
    from peer_logs import Night, Site

NEIGHBOURS = 50
PERCENTILE = 0.1
BUFFER = 20_000
_SAMPLE = 5_000


class Neighbours:
    """Mean distance to the nearest neighbours, for each client-night."""

    name = "Stateful (Chen et al.)"
    source = "Chen, Carlini, Wagner 2019"

    def learn(self, site: Site) -> Judge:
        """Take the threshold from the site's training sample."""
        threshold = training_threshold(site.sample[:_SAMPLE])

        def judge(night: Night) -> Judged:
            return _judge(night, threshold)

        return judge


def training_threshold(sample: NDArray[np.float32]) -> float:
    """Return the distance that 0.1 % of the sample stays below among the rest of it."""
    squares = ((sample**2).sum(axis=1)[:, None] + (sample**2).sum(axis=1) - 2 * sample @ sample.T).clip(min=0)
    np.fill_diagonal(squares, np.inf)
    near = min(NEIGHBOURS, len(sample) - 1)
    means = np.sqrt(np.partition(squares, near - 1, axis=1)[:, :near]).mean(axis=1)
    return float(np.percentile(means, PERCENTILE))


def _judge(night: Night, threshold: float) -> Judged:
    lowest, tenth, middle, below = (np.full(len(night.clients), value) for value in (np.inf, np.inf, np.inf, 0.0))
    for client, rows in enumerate(night.streams()):
        means = mean_to_nearest(night.view[rows], NEIGHBOURS, BUFFER)
        known = means[np.isfinite(means)]
        if len(known):
            lowest[client], tenth[client], middle[client] = np.quantile(known, [0, 0.1, 0.5])
            below[client] = (known < threshold).mean()
    readings = {"lowest": -lowest, "first decile": -tenth, "median": -middle, "share below": below}
    return Judged({f"{PERCENTILE} percentile": lowest < threshold}, readings)

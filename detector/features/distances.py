"""Distances between many inputs and many records, in pieces of bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PIECE = 2048


def nearest_distances(
    view: NDArray[np.float32],
    records: NDArray[np.float32],
    owners: tuple[NDArray[np.int32], NDArray[np.int32]] | None = None,
) -> NDArray[np.float64]:
    """Distance of each row of `view` (n, d) to the nearest of `records` (m, d): (n,), in pieces of bounded size.

    With `owners`, whose each row of `view` (n,) and each record (m,) is, records of the same owner do not count;
    infinite where there are no others.
    """
    # Distances do not see where zero lies, but 32 bits do: an age of 50 or a year of 2020 would use up the digits.
    middle = records.mean(axis=0)
    view, records = view - middle, records - middle
    nearest = np.full(len(view), np.inf, dtype=np.float32)
    for at in range(0, len(records), _PIECE):
        part = records[at : at + _PIECE]
        norms = (part * part).sum(axis=1)
        mirrored = np.ascontiguousarray(-2.0 * part.T)
        for first in range(0, len(view), _PIECE):
            gaps = view[first : first + _PIECE] @ mirrored
            gaps += norms
            if owners is not None:
                gaps[owners[0][first : first + _PIECE, None] == owners[1][at : at + _PIECE]] = np.inf
            nearest[first : first + _PIECE] = np.minimum(nearest[first : first + _PIECE], gaps.min(axis=1))
    nearest += (view * view).sum(axis=1)
    return np.sqrt(np.maximum(nearest, 0.0).astype(np.float64))

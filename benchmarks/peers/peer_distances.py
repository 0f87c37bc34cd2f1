"""Exact distances from each query to the earlier ones, in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK = 512


def _blocks(view: NDArray[np.float32], window: int) -> Iterator[tuple[int, int, int, NDArray[np.float32]]]:
    """Yield first and last query of a block, the first earlier one, and squared distances; inf where not earlier."""
    size = (view * view).sum(axis=1)
    for first in range(0, len(view), _BLOCK):
        last = min(len(view), first + _BLOCK)
        begin = max(0, first - window)
        squares = size[first:last, None] + size[None, begin:last] - 2 * (view[first:last] @ view[begin:last].T)
        squares[np.arange(begin, last)[None, :] >= np.arange(first, last)[:, None]] = np.inf
        yield first, last, begin, squares


def nearest_earlier(view: NDArray[np.float32], window: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each query's nearest earlier one (-1 for the first) and how far that is.

    Args:
        view: shape (n, d), in time order.
        window: how many earlier queries, at least, are looked at.
    """
    centred = view - view.mean(axis=0)
    link, distance = np.full(len(view), -1), np.full(len(view), np.inf)
    for first, last, begin, squares in _blocks(centred, window):
        best = squares.argmin(axis=1)
        rows = np.arange(max(first, 1), last)
        chosen = begin + best[rows - first]
        link[rows] = chosen
        # From the difference itself: the product above loses what finite differences move.
        distance[rows] = np.linalg.norm(view[rows].astype(float) - view[chosen], axis=1)
    return link, distance


def mean_to_nearest(view: NDArray[np.float32], neighbours: int, window: int) -> NDArray[np.float64]:
    """Return each query's mean distance to its nearest earlier ones; inf while there are fewer than `neighbours`."""
    centred = view - view.mean(axis=0)
    mean = np.full(len(view), np.inf)
    for first, last, _, squares in _blocks(centred, window):
        if squares.shape[1] > neighbours:
            nearest = np.partition(squares, neighbours - 1, axis=1)[:, :neighbours]
            mean[first:last] = np.sqrt(np.maximum(nearest, 0)).mean(axis=1)
    return mean

"""The class probabilities of answers as a column of maps: a class's name to its probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from detector.store import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from detector.evidence.context import IncidentContext

MOST_VALUES = 4_000_000
"""Probabilities that a bundle holds at most: an answer of a thousand classes is mostly noise beyond the first few."""

_FEWEST = 10


def room(queries: int) -> int:
    """Return how many probabilities of each answer find room."""
    return max(_FEWEST, MOST_VALUES // max(queries, 1))


def column(
    table: Any,  # noqa: ANN401 - Arrow has no types
    names: Mapping[int, str],
    context: IncidentContext,
    most: int,
) -> tuple[Any, bool]:
    """Return the answers of a table with the columns `probability_kind` and `probabilities`.

    Args:
        table: of the store.
        names: class code to name.
        context: the incident, which knows the names of positions.
        most: probabilities to keep of an answer, the largest ones.

    Returns:
        Maps, null where an answer told none; and whether some were left out.
    """
    positions = dict(enumerate(context.queries.probabilities.classes))
    found = decode.probability_matrix(table.column("probability_kind"), table.column("probabilities"), names, positions)
    values, cut = _largest(found.values, most)
    told = np.isfinite(values)
    rows, classes = np.nonzero(told)
    counts = told.sum(axis=1)
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    keys = pa.array(list(found.classes), pa.string()).take(pa.array(classes, pa.int64()))
    items = pa.array(values[rows, classes], pa.float32())
    if not len(counts):
        return pa.array([], pa.map_(pa.string(), pa.float32())), cut
    maps = pa.MapArray.from_arrays(offsets, keys, items)
    return pa.chunked_array([maps]), cut


def _largest(values: NDArray[np.float32], most: int) -> tuple[NDArray[np.float32], bool]:
    if values.shape[1] <= most:
        return values, False
    filled = np.where(np.isnan(values), -np.inf, values)
    order = np.argsort(-filled, axis=1, kind="stable")[:, most:]
    kept = values.copy()
    np.put_along_axis(kept, order, np.nan, axis=1)
    return kept, bool(np.isfinite(np.take_along_axis(values, order, axis=1)).any())

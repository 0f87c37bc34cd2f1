"""How far each telling query lies from what its client asked just before: what a near-duplicate filter would see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detector.errors import FeatureError
from detector.features.schema import ModelSchema
from detector.features.views import scaled_view
from detector.store import evidence_queries as stored
from detector.store.scanning import latest_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.store.engine import Store

LAGS = 16
"""Earlier queries of the same client that each one is compared with, as many as the nightly features look at."""

NEAR = 0.25
"""Closer than this part of the distance between two ordinary inputs is a near-duplicate, as in the nightly features."""

MOST_BYTES = 512 * 1024 * 1024
"""Bytes of inputs of an incident that are read for this at most; the queries after them stay unmeasured."""

_VALUES = 4_000_000


def read_schema(store: Store, model: str) -> ModelSchema | None:
    """Return what the model's inputs look like; None where no scan has learned it, or they cannot be compared."""
    with store.begin() as connection:
        found = latest_schema(connection, model)
    if found is None:
        return None
    try:
        schema = ModelSchema.load(found.model, found.version, found.night, found.body, found.arrays)
    except FeatureError:
        return None
    return schema if schema.has_view else None


def measure(
    store: Store, schema: ModelSchema | None, ids: NDArray[np.int64], clients: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return the distance of each query to the nearest different one among the `LAGS` of its client before it.

    Args:
        store: the database.
        schema: of the model; without it nothing can be measured.
        ids: of the queries, in time order.
        clients: who sent each.

    Returns:
        float32, a value a query, in units of the median distance between two ordinary inputs; infinite where no
        different one came before, NaN where the input is not known.
    """
    found = np.full(len(ids), np.nan, dtype=np.float32)
    if schema is None or not len(ids):
        return found
    count = min(len(ids), max(1, MOST_BYTES // (4 * schema.dimension)))
    order = np.lexsort((np.arange(count), clients[:count]))
    step = max(2 * LAGS, _VALUES // schema.dimension)
    tail = np.empty((0, schema.dimension), dtype=np.float32)
    for start in range(0, count, step):
        part = order[start : start + step]
        view = np.concatenate([tail, views(store, schema, ids[part])])
        # The queries compared with that came with the part before.
        owners = clients[order[start - len(tail) : start + len(part)]]
        found[part] = nearest_before(view, owners)[len(tail) :] / schema.unit
        tail = view[-LAGS:]
    return found


def nearest_before(view: NDArray[np.float32], owners: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the distance of each row to the nearest different one among the `LAGS` before it of the same owner."""
    best = np.full(len(view), np.inf, dtype=np.float32)
    for lag in range(1, min(LAGS, len(view) - 1) + 1):
        gap = np.linalg.norm(view[lag:] - view[:-lag], axis=1)
        gap[(owners[lag:] != owners[:-lag]) | (gap == 0)] = np.inf
        best[lag:] = np.fmin(best[lag:], gap)
    best[np.isnan(view).any(axis=1)] = np.nan
    return best


def views(store: Store, schema: ModelSchema, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the inputs of the queries `ids`, in that order, as the nightly features see them."""
    table = stored.read_inputs(store, [int(one) for one in ids])
    view = np.full((len(ids), schema.dimension), np.nan, dtype=np.float32)
    read = scaled_view(
        schema, np.asarray(table.column("input_kind"), dtype=np.int64), table.column("input").combine_chunks()
    )
    order = np.argsort(ids)
    place = order[np.searchsorted(ids[order], np.asarray(table.column("id"), dtype=np.int64))]
    if read is not None:
        view[place] = read
    return view

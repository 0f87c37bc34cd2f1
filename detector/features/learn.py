"""Learning a model's schema from a sample of its queries in which no client holds more than its share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.features.distances import nearest_distances
from detector.features.schema import CLASSES, REFERENCE_ROWS, ModelSchema
from detector.features.variation import NEAR
from detector.features.views import (
    LONGEST,
    OUTLYING,
    field_scale,
    learn_fields,
    modal_kind,
    raw_length,
    raw_view,
    scaled,
)
from detector.features.words import WordUse
from detector.model import InputKind
from detector.store.decode import position_names, probability_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SAMPLE_ROWS = 20_000
_NEIGHBOURS = 8
_FEWEST_CLIENTS = 10
_MOST_LEFT_OUT = 0.1
_FAR = 4.0
_ROWS_ASKED = 16
_SEED = 20_240_229
SAMPLE_COLUMNS = (
    "ts", "client_id", "label", "input_kind", "input", "input_hash", "probability_kind", "probabilities", "key_lo",
)  # fmt: skip


def learn_schema(sample: pa.Table, model: str, version: int, night: str, names: Mapping[int, str]) -> ModelSchema:
    """Learn how a model's queries are read.

    Args:
        sample: some of its queries (columns SAMPLE_COLUMNS), in any order.
        model: what the schema is of.
        version: its number.
        night: the night that it is learned from.
        names: class code to name.
    """
    # The order in which files came must not matter.
    sample = sample.sort_by([("ts", "ascending"), ("key_lo", "ascending")])
    fair = sample.take(pa.array(fair_rows(sample["client_id"], sample["input_hash"].to_numpy(), 4 * REFERENCE_ROWS)))
    kinds = fair["input_kind"].to_numpy()
    blobs = pc.cast(fair["input"].combine_chunks(), pa.binary())
    kind = modal_kind(kinds)
    client = pc.dictionary_encode(fair["client_id"].combine_chunks()).indices.to_numpy()
    mine = kinds == kind
    fields = learn_fields(blobs.filter(pa.array(mine)), client[mine]) if kind is InputKind.RECORD else ()
    length = raw_length(kind, kinds, blobs, fields)
    dimension = min(length, LONGEST)
    positions = _positions(fair)
    learned = ModelSchema(
        model=model,
        version=version,
        night=night,
        kind=kind,
        length=length,
        dimension=dimension,
        classes=_classes(fair, names, positions),
        positions=tuple(sorted(positions.items())),
        fields=fields,
        scale=np.ones(dimension, dtype=np.float32),
        reference=np.empty((0, dimension), dtype=np.float32),
    )
    if dimension == 0:
        return learned
    view = raw_view(kind, length, fields, kinds, blobs)
    readable = ~np.isnan(view).any(axis=1)
    view = view[readable]
    if not len(view):
        return learned
    rows = _ordinary_rows(scaled(view.copy(), field_scale(view, kind)), client[readable])
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), REFERENCE_ROWS)).astype(np.int64)]
    view = view[rows]
    scale = field_scale(view, kind)
    wording = WordUse.of_inputs(kind, blobs.take(pa.array(np.flatnonzero(readable)[rows])))
    return replace(learned, scale=scale, reference=scaled(view, scale), wording=wording)


def _ordinary_rows(view: NDArray[np.float32], client: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the rows that may describe what is ordinary, ascending.

    The night that a schema is learned from may hold attacks. Three things are left out: rows with a value that no
    ordinary one comes near, at most one in ten; rows that are a small step from another row of their client, as a
    search makes them; and then the clients, at most one in ten, whose rows lie farther from everybody else's than
    those of ordinary clients do.
    """
    step = NEAR * _typical_distance(view)
    kept = np.asarray((np.abs(view - np.median(view, axis=0)) <= OUTLYING).all(axis=1))
    if kept.mean() < 1.0 - _MOST_LEFT_OUT:
        kept[:] = True
    order = np.argsort(client, kind="stable")
    for lag in range(1, _NEIGHBOURS + 1):
        later, earlier = order[lag:], order[:-lag]
        near = np.linalg.norm(view[later] - view[earlier], axis=1) < step
        kept[later[near & (client[later] == client[earlier])]] = False
    rows = np.flatnonzero(kept)
    names, far = _distances_to_others(view[rows], client[rows])
    if len(names) < _FEWEST_CLIENTS:
        return rows
    middle = float(np.median(far))
    spread = max(1.4826 * float(np.median(np.abs(far - middle))), 0.05 * middle, 1e-9)
    farthest = np.argsort(-far, kind="stable")[: int(_MOST_LEFT_OUT * len(names))]
    outside = names[farthest[far[farthest] > middle + _FAR * spread]]
    return rows[~np.isin(client[rows], outside)]


def _typical_distance(view: NDArray[np.float32]) -> float:
    """Median distance between rows at opposite ends of a fixed shuffle; 0 for a single row."""
    half = len(view) // 2
    order = np.random.default_rng(_SEED).permutation(len(view))
    gaps = np.linalg.norm(view[order[:half]] - view[order[half : 2 * half]], axis=1)
    return float(np.median(gaps)) if half else 0.0


def _distances_to_others(
    view: NDArray[np.float32], client: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the clients, and the median distance of each one's first rows to the nearest row of another client."""
    order = np.argsort(client, kind="stable")
    names, first, counts = np.unique(client[order], return_index=True, return_counts=True)
    asked = order[np.arange(len(order)) - np.repeat(first, counts) < _ROWS_ASKED]
    nearest = nearest_distances(view[asked], view, (client[asked], client))
    ends = np.cumsum(np.minimum(counts, _ROWS_ASKED))[:-1]
    return names, np.array([np.median(part) for part in np.split(nearest, ends)])


def fair_rows(clients: pa.ChunkedArray, hashes: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Choose at most `most` queries, different within a client, each client giving about as many as any other.

    Returns:
        Positions, ascending.
    """
    code = pc.dictionary_encode(clients.combine_chunks()).indices.to_numpy().astype(np.int64)
    order = np.lexsort((np.arange(len(code)), hashes, code))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (
        (code[order][1:] != code[order][:-1]) | (hashes[order][1:] != hashes[order][:-1]) | (hashes[order][1:] == 0)
    )
    rows = np.sort(order[new])
    share = max(1, -(-most // max(len(np.unique(code)), 1)))
    by_client = np.argsort(code[rows], kind="stable")
    counts = np.bincount(code[rows])
    counts = counts[counts > 0]
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    size = np.repeat(counts, counts)
    step = np.maximum(size / share, 1.0)
    keep = np.floor(rank / step) != np.floor((rank - 1) / step)
    chosen = np.sort(rows[by_client][keep])
    if len(chosen) > most:
        chosen = chosen[np.linspace(0, len(chosen) - 1, most).astype(np.int64)]
    return chosen


def _positions(sample: pa.Table) -> dict[int, str]:
    blobs = pc.cast(sample["probabilities"].combine_chunks(), pa.binary())
    return position_names(sample["probability_kind"].combine_chunks(), blobs, sample["label"].combine_chunks())


def _classes(sample: pa.Table, names: Mapping[int, str], positions: Mapping[int, str]) -> tuple[str, ...]:
    """Return at most CLASSES class names: those of labels and answers, the frequent ones where there are more."""
    labels = [
        (e["values"], e["counts"]) for e in pc.value_counts(sample["label"].combine_chunks()).to_pylist() if e["values"]
    ]
    kinds = sample["probability_kind"].combine_chunks()
    blobs = pc.cast(sample["probabilities"].combine_chunks(), pa.binary())
    seen = dict.fromkeys(probability_matrix(kinds, blobs, names, positions).classes, 0)
    for name, count in labels:
        seen[name] = seen.get(name, 0) + count
    common = sorted(seen, key=lambda name: (-seen[name], name))[:CLASSES]
    return tuple(sorted(common))

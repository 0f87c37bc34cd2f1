"""Stored queries become blocks: sorted by entity and time, inputs as views, answers as probabilities by class."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.features.block import OPERATIONS, Block
from detector.features.views import scaled_view
from detector.features.words import Words
from detector.hashing import text_hash
from detector.model import InputKind
from detector.store.decode import probability_matrix
from detector.store.scanning import NO_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from detector.features.schema import ModelSchema


# A stretch longer than any entity: none is cut.
WHOLE = 1 << 40


@dataclass(frozen=True)
class Reading:
    """How a model's stored queries are read.

    Attributes:
        schema: its inputs and classes.
        names: class code to name, for answers that name their classes.
    """

    schema: ModelSchema
    names: Mapping[int, str]


def in_time(table: pa.Table, *groups: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the order of queries in time, the place in the log deciding ties; within `groups` (n,), the last first."""
    keys = (table[name].to_numpy() for name in ("row_index", "line", "file_id", "ts"))
    return np.lexsort((*keys, *groups))


def assemble(
    table: pa.Table, entity: str, reading: Reading, stretch: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Iterator[Block]]:
    """Build the blocks of one part of a night, each when it is asked for: the stretches of a long entity are large.

    Args:
        table: columns SCAN_COLUMNS with `client` and `network` codes instead of their texts.
        entity: the column of codes that makes an entity; negative codes are left out.
        reading: how the model's queries are read.
        stretch: an entity with more queries than this is cut into stretches of at most so many.

    Returns:
        The entities' codes, ascending; the entity position of each block row (each stretch is a row); the blocks.
    """
    codes = table[entity].to_numpy()
    order = in_time(table, codes)
    order = order[codes[order] >= 0]
    present, firsts, counts = np.unique(codes[order], return_index=True, return_counts=True)
    heavy = counts > stretch
    owner = np.flatnonzero(~heavy).tolist()
    stretches = [np.flatnonzero(np.repeat(~heavy, counts))] if owner else []
    starts = [np.concatenate([[0], np.cumsum(counts[~heavy])])] if owner else []
    for position in np.flatnonzero(heavy):
        pieces = -(-int(counts[position]) // stretch)
        bounds = firsts[position] + np.linspace(0, counts[position], pieces + 1).astype(np.int64)
        owner.extend([int(position)] * pieces)
        stretches.extend(np.arange(first, last) for first, last in pairwise(bounds))
        starts.extend(np.array([0, last - first]) for first, last in pairwise(bounds))
    blocks = (
        _block(table.take(pa.array(order[rows])), begins.astype(np.int64), reading)
        for rows, begins in zip(stretches, starts, strict=True)
    )
    return present.astype(np.int64), np.array(owner, dtype=np.int64), blocks


def _block(table: pa.Table, starts: NDArray[np.int64], reading: Reading) -> Block:
    kinds = table["input_kind"].to_numpy()
    inputs = pc.cast(table["input"].combine_chunks(), pa.binary())
    label = label_codes(table["label"], reading.schema.classes)
    confidence = table["confidence"].to_numpy().astype(np.float64)
    confidence = np.where(confidence == NO_NUMBER, np.nan, confidence).astype(np.float32)
    probabilities = _probabilities(table, reading, label, confidence)
    with np.errstate(invalid="ignore"):
        largest = np.fmax.reduce(probabilities, axis=1, initial=np.nan)
    return Block(
        starts=starts,
        ts=table["ts"].to_numpy(),
        view=scaled_view(reading.schema, kinds, inputs),
        input_hash=table["input_hash"].to_numpy(),
        label=label,
        top=np.where(np.isnan(confidence), largest, confidence),
        probabilities=probabilities,
        scored=table["scored"].to_numpy().astype(np.int8),
        operation=_lookup(table["operation"], _operation).astype(np.int8),
        status=table["status"].to_numpy().astype(np.int32),
        params=_lookup(table["params"], lambda value: text_hash(value) if value else 0),
        flags=table["flags"].to_numpy().astype(np.int32),
        field_of=reading.schema.field_of,
        words=Words.of(inputs, kinds == InputKind.TEXT) if reading.schema.wording is not None else None,
    )


def _operation(name: str) -> int:
    return OPERATIONS.index(name) if name in OPERATIONS else OPERATIONS.index("other")


def _lookup(column: pa.ChunkedArray, code_of: Callable[[str], int]) -> NDArray[np.int64]:
    """Return `code_of` each value, computed once a distinct value."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    codes = np.array([code_of(value) for value in encoded.dictionary.to_pylist()], dtype=np.int64)
    return codes[encoded.indices.to_numpy()] if len(codes) else np.empty(0, dtype=np.int64)


def label_codes(column: pa.ChunkedArray, classes: tuple[str, ...]) -> NDArray[np.int32]:
    """Return each label's position among `classes`, -1 for a label that is not one of them."""
    places = {name: position for position, name in enumerate(classes)}
    return _lookup(column, lambda value: places.get(value, -1)).astype(np.int32)


def _probabilities(
    table: pa.Table, reading: Reading, label: NDArray[np.int32], confidence: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the probability of each schema class, float32 (n, K).

    Where the answer named only some classes (top-k, or the label's confidence alone), what is left of one is shared
    evenly over the others: the trajectory of a pursued class must not have holes wherever another class won.
    """
    classes = reading.schema.classes
    out = np.full((table.num_rows, max(len(classes), 1)), np.nan, dtype=np.float32)
    blobs = pc.cast(table["probabilities"].combine_chunks(), pa.binary())
    told = probability_matrix(
        table["probability_kind"].combine_chunks(), blobs, reading.names, dict(reading.schema.positions)
    )
    places = {name: position for position, name in enumerate(classes)}
    for column, name in enumerate(told.classes):
        if name in places:
            out[:, places[name]] = told.values[:, column]
    alone = np.isnan(out).all(axis=1) & (label >= 0) & ~np.isnan(confidence)
    out[alone, label[alone]] = confidence[alone]
    holes = np.isnan(out)
    missing = holes.sum(axis=1)
    some = (missing > 0) & (missing < out.shape[1])
    if some.any():
        share = np.maximum(1.0 - np.nansum(out[some], axis=1), 0.0) / missing[some]
        out[some] = np.where(holes[some], share[:, None], out[some])
    return out

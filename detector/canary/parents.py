"""What made-up inputs are mixed of: the schema's reference, or stored queries where that cannot be read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.canary.mixing import RecordMixer, TextMixer, VectorMixer
from detector.errors import UsageError
from detector.features.views import LONGEST
from detector.model import InputKind
from detector.store.decode import input_matrix, texts
from detector.store.scanning import count_queries, stream_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.canary.mixing import Mixer
    from detector.features.schema import ModelSchema
    from detector.store.engine import Store

_PARENTS = 1024
_VALUES = 2**25
_FEWEST = 8
_END = 2**62
_T = TypeVar("_T")


def mixer_of(store: Store, schema: ModelSchema) -> Mixer:
    """Return what draws inputs like the model's.

    A text is known to the schema by its hashed view alone, as is a vector of more than LONGEST values: those are mixed
    of stored queries.

    Raises:
        UsageError: the queries that are needed were purged.
    """
    if schema.kind is InputKind.TEXT:
        words = [tuple((text or "").split()) for text in texts(_stored(store, schema))]
        return TextMixer(tuple(_enough([one for one in words if one], schema)))
    if schema.kind is not InputKind.RECORD and schema.length > LONGEST:
        matrix = input_matrix(_stored(store, schema), schema.length)
        whole = matrix[np.isfinite(matrix).all(axis=1)]
        _enough(whole[:, 0].tolist(), schema)
        return VectorMixer(whole)
    raw = schema.reference.astype(np.float64) * schema.scale
    if schema.kind is InputKind.RECORD:
        return RecordMixer.of(schema.fields, raw)
    return VectorMixer(raw.astype(np.float32))


def _enough(found: Sequence[_T], schema: ModelSchema) -> Sequence[_T]:
    if len(found) < _FEWEST:
        raise UsageError(
            f"only {len(found)} stored queries of model {schema.model!r} show inputs of its shape",
            expected=f"at least {_FEWEST}: plant while a night of queries is kept",
        )
    return found


def _stored(store: Store, schema: ModelSchema) -> pa.Array:
    """Return different inputs of the model's kind from all over the stored queries, in a fixed order."""
    wanted = max(_FEWEST, min(_PARENTS, _VALUES // schema.length))
    with store.begin() as connection:
        count = count_queries(connection, schema.model, 0, _END)
    parts = [
        part.filter(pc.equal(part["input_kind"], int(schema.kind)))["input"].combine_chunks().cast(pa.large_binary())
        for part in stream_queries(
            store, schema.model, 0, _END, ("input_kind", "input"), every=max(1, count // (2 * wanted))
        )
    ]
    if not parts:
        return pa.array([], pa.large_binary())
    different = pc.unique(pa.concat_arrays(parts))
    ordered = different.take(pc.array_sort_indices(different))
    places = np.linspace(0, len(ordered) - 1, min(len(ordered), wanted)).astype(np.int64)
    return ordered.take(pa.array(places))

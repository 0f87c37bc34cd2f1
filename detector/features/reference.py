"""Reference files that a site names: training, hold-out and canary records, read as the model's queries are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from detector.errors import ConfigError
from detector.features.contact import SAME, Contacts
from detector.features.distances import nearest_distances
from detector.features.schema import REFERENCE_ROWS
from detector.features.views import field_scale, raw_view, scaled, scaled_view
from detector.features.words import WordUse
from detector.model import InputKind

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from detector.config import ModelSettings
    from detector.features.schema import ModelSchema

_FEWEST = 8
RESERVED = frozenset(
    {"label", "record_id", "canary_id", "input_vector", "text", "confidence", "probabilities", "included"}
)
"""Columns of a reference file that are not named fields of records."""


def read_inputs(file: Path) -> tuple[InputKind, pa.Array]:
    """Read the inputs of a Parquet file as they would lie in the store.

    Args:
        file: columns `input_vector` (list of numbers), or `text`, or one column a named field; `label`,
            `record_id`, `canary_id` and what a privacy audit reads (`confidence`, `probabilities`, `included`) are
            left out.

    Returns:
        The kind of input and one binary value a record.

    Raises:
        ConfigError: the file is missing or is no such Parquet file.
    """
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigError(
            f"the reference file cannot be read: {error}", file=file, expected="a Parquet file"
        ) from error
    return _inputs(table, file)


def view_of(schema: ModelSchema, table: pa.Table) -> NDArray[np.float32]:
    """Return the views of a reference file's records, float32 (n, d); NaN rows for what is not the model's input.

    Raises:
        ConfigError: the table holds no inputs.
    """
    kind, blobs = _inputs(table, None)
    view = _view(schema, kind, blobs)
    return np.full((len(blobs), schema.dimension), np.nan, dtype=np.float32) if view is None else view


def _view(schema: ModelSchema, kind: InputKind, blobs: pa.Array) -> NDArray[np.float32] | None:
    # A file's vectors are embeddings where the model is asked by embeddings.
    told = InputKind.EMBEDDING if kind is InputKind.VECTOR and schema.kind is InputKind.EMBEDDING else kind
    return scaled_view(schema, np.full(len(blobs), int(told)), blobs)


def _inputs(table: pa.Table, file: Path | None) -> tuple[InputKind, pa.Array]:
    if "input_vector" in table.column_names:
        try:
            rows = [np.asarray(row, dtype="<f4").tobytes() for row in table["input_vector"].to_pylist()]
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"input_vector cannot be read: {error}", file=file, expected="a list of numbers a record"
            ) from error
        return InputKind.VECTOR, pa.array(rows, pa.binary())
    if "text" in table.column_names:
        texts = [str(text).encode() for text in table["text"].to_pylist() if text is not None]
        return InputKind.TEXT, pa.array(texts, pa.binary())
    fields = [name for name in table.column_names if name not in RESERVED]
    if not fields:
        raise ConfigError(
            "the reference file holds no inputs", file=file, expected="input_vector, text or named fields"
        )
    records = table.select(fields).to_pylist()
    lines = [json.dumps(r, sort_keys=True, separators=(",", ":"), default=str, ensure_ascii=False) for r in records]
    return InputKind.RECORD, pa.array([line.encode() for line in lines], pa.binary())


def contacts_of(schema: ModelSchema, settings: ModelSettings | None) -> Contacts:
    """Return the views of the training records and canaries that the site declared for a model.

    A training record that a hold-out record equals is left out: where records are coarse, a customer may send it
    without knowing that it was trained on.

    Raises:
        ConfigError: a declared file cannot be read.
    """
    if settings is None or not schema.has_view:
        return Contacts()
    training = _views(schema, settings.training_sample)
    others = _views(schema, settings.holdout_sample) if training is not None else None
    if training is not None and others is not None:
        training = training[nearest_distances(training, others) >= SAME * schema.unit]
    return Contacts(training if training is not None and len(training) else None, _views(schema, settings.canaries))


def _views(schema: ModelSchema, file: Path | None) -> NDArray[np.float32] | None:
    if file is None:
        return None
    kind, blobs = read_inputs(file)
    _check_fields(schema, kind, blobs, file)
    view = _view(schema, kind, blobs)
    if view is None:
        return None
    view = view[~np.isnan(view).any(axis=1)]
    return view if len(view) else None


def _check_fields(schema: ModelSchema, kind: InputKind, blobs: pa.Array, file: Path) -> None:
    """Refuse records that share no field with the model's: they would all be read as nothing, and so as equal.

    Raises:
        ConfigError: they share none.
    """
    if kind is not InputKind.RECORD or schema.kind is not InputKind.RECORD or not len(blobs):
        return
    names = [field.name for field in schema.fields]
    if not set(json.loads(blobs[0].as_py())) & set(names):
        raise ConfigError("the records have none of the model's fields", file=file, expected=", ".join(names[:8]))


def reference_schema(held: ModelSchema, file: Path) -> ModelSchema:
    """Return the next version of a schema, its reference inputs taken from a file.

    Raises:
        ConfigError: the file cannot be read, or its inputs are of another kind or shape than the model's.
    """
    kind, blobs = read_inputs(file)
    if kind is not held.kind or held.dimension == 0:
        raise ConfigError(f"the reference holds inputs of kind {kind.name}", file=file, expected=held.kind.name)
    _check_fields(held, kind, blobs, file)
    view = raw_view(held.kind, held.length, held.fields, np.full(len(blobs), int(kind)), blobs)
    view = view[~np.isnan(view).any(axis=1)]
    if len(view) < _FEWEST:
        raise ConfigError(
            f"only {len(view)} reference inputs have the model's shape", file=file, expected=f"at least {_FEWEST}"
        )
    view = view[np.linspace(0, len(view) - 1, min(len(view), REFERENCE_ROWS)).astype(np.int64)]
    scale = field_scale(view, kind)
    wording = WordUse.of_inputs(kind, blobs)
    return replace(held, version=held.version + 1, scale=scale, reference=scaled(view, scale), wording=wording)

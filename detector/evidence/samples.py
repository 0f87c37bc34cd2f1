"""Reading the training and hold-out samples that a site names, to compare reconstructions with."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.evidence.context import Sample, Training
from detector.evidence.shapes import image_shape
from detector.evidence.space import TextSpace, measured, record_space, vector_space

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from detector.config import ModelSettings
    from detector.evidence.space import Space

MAX_MEMBERS = 20_000
MAX_OTHERS = 2_000
_NOT_FIELDS = frozenset({"label", "record_id", "confidence", "probabilities", "included"})


@dataclass(frozen=True, eq=False)
class _Rows:
    """A sample as it lies in its file: one of vectors, texts and records is filled."""

    name: str
    count: int
    labels: NDArray[np.object_] | None
    vectors: NDArray[np.float32] | None
    texts: list[str] | None
    records: list[dict[str, Any]] | None
    ids: tuple[str | None, ...] = ()
    step: int = 1


class _UnusableError(Exception):
    """A sample cannot be used; the text says why."""


def read_training(settings: ModelSettings) -> Training:
    """Return the samples that `settings` names, ready to compare with; what cannot be read is said, not raised."""
    if settings.training_sample is None:
        return Training()
    try:
        members = _read(settings.training_sample, MAX_MEMBERS)
        others = _read(settings.holdout_sample, MAX_OTHERS) if settings.holdout_sample is not None else None
        return _compared(members, others, settings)
    except _UnusableError as reason:
        return Training(problem=str(reason))


def _compared(members: _Rows, others: _Rows | None, settings: ModelSettings) -> Training:
    space = _space(members, settings)
    inside = _sample(members, space)
    outside = _sample(others, space) if others is not None else None
    spacing, contrast = measured(inside.vectors, outside.vectors if outside is not None else None, MAX_OTHERS)
    return Training(inside, outside, spacing, contrast, space)


def _sample(rows: _Rows, space: Space) -> Sample:
    content: tuple[Mapping[str, Any] | str, ...] = tuple(rows.texts or rows.records or ())
    return Sample(rows.name, _encoded(rows, space), rows.labels, rows.count, rows.ids, content, rows.step)


def _space(members: _Rows, settings: ModelSettings) -> Space:
    if members.vectors is not None:
        image = image_shape(members.vectors.shape[1], settings.image_shape, members.vectors) is not None
        return vector_space(members.vectors, image=image)
    if members.texts is not None:
        return TextSpace()
    rows = members.records or []
    return record_space(rows, sorted({name for row in rows for name in row}))


def _encoded(rows: _Rows, space: Space) -> NDArray[np.float32]:
    content: Any = next((one for one in (rows.vectors, rows.texts, rows.records) if one is not None), None)
    try:
        return space.encode(content)
    except (TypeError, ValueError, AttributeError) as error:
        raise _UnusableError(f"{rows.name} does not hold inputs like those of the training sample") from error


def _read(path: Path, limit: int) -> _Rows:
    """Return at most `limit` records, evenly spaced over the file, read a batch at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            count = file.metadata.num_rows
            step = max(1, math.ceil(count / limit))
            parts, seen = [], 0
            for batch in file.iter_batches():
                parts.append(batch.take(pa.array(range(-seen % step, batch.num_rows, step), pa.int64())))
                seen += batch.num_rows
            table = pa.Table.from_batches(parts, schema=file.schema_arrow)
    except (OSError, pa.ArrowException) as error:
        raise _UnusableError(f"{path.name} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if not table.num_rows:
        raise _UnusableError(f"{path.name} holds no record")
    return replace(_rows(path.name, count, table), ids=_ids(table), step=step)


def _rows(name: str, count: int, table: Any) -> _Rows:  # noqa: ANN401 - Arrow
    columns = table.column_names
    labels = None
    if "label" in columns:
        labels = np.array(
            [None if one is None else str(one) for one in table.column("label").to_pylist()], dtype=object
        )
    if "input_vector" in columns:
        return _Rows(name, count, labels, _vectors(name, table.column("input_vector")), None, None)
    if "text" in columns:
        return _Rows(name, count, labels, None, [str(one or "") for one in table.column("text").to_pylist()], None)
    fields = [column for column in columns if column not in _NOT_FIELDS]
    if not fields:
        raise _UnusableError(f"{name} has no column input_vector, text, or named fields")
    return _Rows(name, count, labels, None, None, table.select(fields).to_pylist())


def _ids(table: Any) -> tuple[str | None, ...]:  # noqa: ANN401 - Arrow
    if "record_id" not in table.column_names:
        return ()
    return tuple(None if one is None else str(one) for one in table.column("record_id").to_pylist())


def _vectors(name: str, column: Any) -> NDArray[np.float32]:  # noqa: ANN401 - Arrow
    rows = column.to_pylist()
    lengths = {len(row) if row is not None else 0 for row in rows}
    if len(lengths) != 1:
        raise _UnusableError(f"the vectors in {name} differ in length")
    try:
        return np.array(rows, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise _UnusableError(f"the vectors in {name} are not numbers") from error

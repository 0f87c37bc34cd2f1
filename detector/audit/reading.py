"""Reading the model's confidences in the true class from Parquet, CSV or JSON Lines, plain, gzip or zstd."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CONFIDENCE = "confidence"
INCLUDED = "included"
EXPECTED = (
    "Parquet, CSV or JSON Lines with `confidence` (of the true class, 0 to 1), or with `probabilities` (a list by "
    "class position from 0, or by class name) and `label` (the true class)"
)
_PROBABILITIES, _LABEL = "probabilities", "label"
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_ROWS = 10_000
_BOM = b"\xef\xbb\xbf"
# Probabilities that were stored as float32 may exceed 1 by their rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Confidences:
    """What one file tells.

    Attributes:
        name: the file's name.
        values: float64, 0 to 1, one a record: the model's confidence in the record's true class.
        included: whether the record was trained on; None where the file does not tell.
    """

    name: str
    values: NDArray[np.float64]
    included: NDArray[np.bool_] | None = None


def read_confidences(file: Path, column: str = CONFIDENCE) -> Confidences:
    """Read a file of any size, a batch at a time; what is held in the end is 8 bytes a record.

    Args:
        file: see `EXPECTED`; a boolean column `included` is read where there is one.
        column: the name of the confidence column.

    Raises:
        AuditError: the file is missing, damaged, of another kind, without these columns, empty, or a value in it is
            no probability.
    """
    values: list[NDArray[np.float64]] = []
    included: list[NDArray[np.bool_]] = []
    try:
        for batch in _batches(file, column):
            values.append(_true_class(batch, column))
            if INCLUDED in batch.schema.names:
                included.append(_flags(batch.column(INCLUDED), file))
    except pa.ArrowNotImplementedError as error:
        raise AuditError(f"a column has another type: {_first(error)}", file=file, expected=EXPECTED) from error
    except (OSError, pa.ArrowException, ValueError) as error:
        raise AuditError(f"cannot be read: {_first(error)}", file=file, expected=EXPECTED) from error
    found = np.concatenate(values) if values else np.empty(0)
    _check(file, found)
    return Confidences(file.name, np.clip(found, 0, 1), np.concatenate(included) if included else None)


def columns_of(file: Path) -> frozenset[str]:
    """Return the names of a Parquet file's columns.

    Raises:
        AuditError: it cannot be read as Parquet.
    """
    import pyarrow.parquet as pq

    try:
        return frozenset(pq.read_schema(file).names)
    except (OSError, pa.ArrowException) as error:
        raise AuditError("cannot be read as Parquet", file=file) from error


def tells_confidence(names: Iterable[str], column: str = CONFIDENCE) -> bool:
    """Return whether columns of these names tell the confidence in the true class."""
    held = set(names)
    return column in held or {_PROBABILITIES, _LABEL} <= held


def _check(file: Path, values: NDArray[np.float64]) -> None:
    if not len(values):
        raise AuditError("the file holds no record", file=file, expected=EXPECTED)
    wrong = ~((values >= -_ROUNDING) & (values <= 1 + _ROUNDING))
    if wrong.any():
        first = int(np.argmax(wrong))
        value = "missing or no number" if np.isnan(values[first]) else f"{values[first]:g}"
        raise AuditError(
            f"the confidence in the true class of record {first + 1} is {value} ({int(wrong.sum()):,} such records)",
            file=file,
            expected="a number between 0 and 1 for every record",
        )


def _batches(file: Path, column: str) -> Iterator[pa.RecordBatch]:
    with file.open("rb") as opened:
        magic = opened.read(4)
    if magic == b"PAR1":
        yield from _parquet(file, column)
        return
    packed = next((name for start, name in _MAGIC.items() if magic.startswith(start)), None)
    with pa.input_stream(str(file), compression=packed) as stream:
        head = bytes(stream.read(1 << 20))
    if b"\0" in head:
        raise AuditError("this is neither text nor Parquet", file=file, expected=EXPECTED)
    begins = head.removeprefix(_BOM).lstrip()
    with pa.input_stream(str(file), compression=packed) as stream:
        if begins.startswith(b"{"):
            yield from _json_lines(file, stream, begins.partition(b"\n")[0], column)
        elif begins:
            yield from _csv(file, stream, begins.partition(b"\n")[0], column)


def _parquet(file: Path, column: str) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as held:
        yield from held.iter_batches(columns=_wanted(file, held.schema_arrow.names, column))


def _csv(file: Path, stream: Any, header: bytes, column: str) -> Iterator[pa.RecordBatch]:  # noqa: ANN401 - Arrow
    import pyarrow.csv as arrow_csv

    line = header.decode("utf-8").strip()
    separator = max(",;\t", key=line.count)
    wanted = _wanted(file, next(csv.reader([line], delimiter=separator)), column)
    types = {column: pa.float64(), INCLUDED: pa.bool_()}
    yield from arrow_csv.open_csv(
        stream,
        parse_options=arrow_csv.ParseOptions(delimiter=separator),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=wanted, column_types={name: types.get(name, pa.string()) for name in wanted}
        ),
    )


def _json_lines(file: Path, stream: Any, first: bytes, column: str) -> Iterator[pa.RecordBatch]:  # noqa: ANN401 - Arrow
    wanted = _wanted(file, json.loads(first), column)
    if column not in wanted:
        yield from _json_records(stream, wanted)
        return
    import pyarrow.json as arrow_json

    types = {column: pa.float64(), INCLUDED: pa.bool_()}
    yield from arrow_json.open_json(
        stream,
        parse_options=arrow_json.ParseOptions(
            explicit_schema=pa.schema([(name, types[name]) for name in wanted]), unexpected_field_behavior="ignore"
        ),
    )


def _json_records(stream: Any, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:  # noqa: ANN401 - Arrow
    """Yield records whose probabilities may be lists or objects, as text: Arrow wants one type for all of them."""
    import io

    lines = (line for line in io.TextIOWrapper(stream, encoding="utf-8-sig") if line.strip())
    while some := list(islice(lines, _ROWS)):
        records = [json.loads(line) for line in some]
        texts = {name: [json.dumps(record.get(name)) for record in records] for name in wanted if name != INCLUDED}
        held: dict[str, Any] = {name: pa.array(text, pa.string()) for name, text in texts.items()}
        if INCLUDED in wanted:
            held[INCLUDED] = pa.array([record.get(INCLUDED) for record in records], pa.bool_())
        yield pa.RecordBatch.from_pydict(held)


def _wanted(file: Path, names: Iterable[str], column: str) -> list[str]:
    """Return the columns to read.

    Raises:
        AuditError: there are none that tell the confidence in the true class.
    """
    held = list(names)
    if not tells_confidence(held, column):
        shown = ", ".join(repr(name)[:40] for name in held[:12])
        raise AuditError(f"there is no column {column!r} (columns: {shown})", file=file, expected=EXPECTED)
    wanted = [column] if column in held else [_PROBABILITIES, _LABEL]
    return [*wanted, INCLUDED] if INCLUDED in held else wanted


def _true_class(batch: pa.RecordBatch, column: str) -> NDArray[np.float64]:
    """Return a confidence a record, NaN where there is none."""
    if column in batch.schema.names:
        return np.asarray(pc.cast(batch.column(column), pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    given, label = batch.column(_PROBABILITIES), batch.column(_LABEL)
    if pa.types.is_list(given.type) and pa.types.is_integer(label.type):
        return _at_positions(given, label)
    return np.fromiter(map(_looked_up, given.to_pylist(), label.to_pylist()), np.float64, len(batch))


def _at_positions(given: Any, label: Any) -> NDArray[np.float64]:  # noqa: ANN401 - Arrow
    """Return each list's value at its label's position, without a Python object a value."""
    starts = np.asarray(given.offsets.to_numpy(), np.int64)
    lengths = np.diff(starts)
    position = np.asarray(pc.fill_null(pc.cast(label, pa.int64()), -1).to_numpy(zero_copy_only=False), np.int64)
    held = np.asarray(pc.cast(given.values, pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    there = (position >= 0) & (position < lengths) & np.asarray(given.is_valid())
    found = np.full(len(position), np.nan)
    found[there] = held[starts[:-1][there] + position[there]]
    return found


def _looked_up(given: Any, label: Any) -> float:  # noqa: ANN401 - as the file has it
    """Return the probability of `label`; NaN where there is none."""
    try:
        probabilities, name = _loaded(given), _loaded(label)
        if isinstance(probabilities, dict):
            return float(probabilities[label if label in probabilities else str(name)])
        place = int(name)
        return float(probabilities[place]) if place >= 0 else float("nan")
    except (KeyError, IndexError, ValueError, TypeError):
        return float("nan")


def _loaded(value: Any) -> Any:  # noqa: ANN401 - as the file has it
    """Return a value out of the JSON text that holds it; a map of Arrow as a dictionary."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return dict(value)
    return value


def _flags(column: Any, file: Path) -> NDArray[np.bool_]:  # noqa: ANN401 - Arrow
    if column.null_count:
        raise AuditError(f"`{INCLUDED}` is missing in some records", file=file, expected="true or false in each")
    return np.asarray(pc.cast(column, pa.bool_()).to_numpy(zero_copy_only=False), np.bool_)


def _first(error: Exception) -> str:
    return next(chain(str(error).splitlines(), [type(error).__name__]))
